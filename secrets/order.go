package secrets

import "runtime"

// cores is how many things are worked on at once, where work can be shared.
func cores() int { return runtime.GOMAXPROCS(0) }

// inOrder works on 0 to n-1, several at once, and hands every result to use in
// the order of the numbers, one at a time. It ends with the first error of use.
// Only a few results wait at any time, so memory does not grow with n. What was
// begun has ended when it returns.
func inOrder[T any](n, atOnce int, work func(int) T, use func(int, T) error) error {
	stop := make(chan struct{})
	waiting := make(chan chan T, max(atOnce-1, 0)) // in order; what is taken from it counts, too
	go func() {
		defer close(waiting)
		for i := range n {
			slot := make(chan T, 1)
			select {
			case waiting <- slot:
				go func() { slot <- work(i) }()
			case <-stop:
				return
			}
		}
	}()
	var err error
	for i := 0; ; i++ {
		slot, more := <-waiting
		if !more {
			return err
		}
		result := <-slot
		if err == nil {
			if err = use(i, result); err != nil {
				close(stop)
			}
		}
	}
}
