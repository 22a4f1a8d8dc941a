package secrets

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
)

func TestInOrder(t *testing.T) {
	for _, atOnce := range []int{1, 2, 7} {
		var busy, most, done atomic.Int64
		next := 0
		err := inOrder(100, atOnce, func(i int) int {
			n := busy.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			runtime.Gosched()
			done.Add(1)
			busy.Add(-1)
			return i * i
		}, func(i, square int) error {
			if i != next || square != i*i {
				t.Errorf("%d: result %d, and %d was next", i, square, next)
			}
			next++
			return nil
		})
		if err != nil || next != 100 || done.Load() != 100 || most.Load() > int64(atOnce) {
			t.Errorf("%d at once: %v, %d used, %d done, up to %d at once", atOnce, err, next, done.Load(), most.Load())
		}
	}
}

func TestInOrderEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	for _, atOnce := range []int{1, 3} {
		var begun, ended atomic.Int64
		used := 0
		err := inOrder(1000, atOnce, func(i int) int {
			begun.Add(1)
			defer ended.Add(1)
			return i
		}, func(i, _ int) error {
			used++
			if i == 4 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || used != 5 || begun.Load() != ended.Load() || begun.Load() > int64(5+2*atOnce+1) {
			t.Errorf("%d at once: %v, %d used, %d begun, %d ended", atOnce, err, used, begun.Load(), ended.Load())
		}
	}
}
