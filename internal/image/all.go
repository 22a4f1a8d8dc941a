package image

import (
	"context"
	"sync"
)

// How many images are looked up at the same time.
const (
	perRegistry = 4
	inAll       = 16
)

// Result is what became of a request.
type Result struct {
	Image Image
	Err   error // an *Error
}

// All looks up images, several at a time. The results have the order of the
// requests; the error is that of ctx. report, which may be called from several
// goroutines at once, gets the number of images done and the one done last.
func (r *Resolver) All(ctx context.Context, requests []Request, report func(done int, last string)) ([]Result, error) {
	results := make([]Result, len(requests))
	slots := make(chan struct{}, inAll)
	var mu sync.Mutex
	var all sync.WaitGroup
	done := 0
	for _, queue := range r.queues(requests) {
		for range min(perRegistry, len(queue)) {
			all.Go(func() {
				for i := range queue {
					slots <- struct{}{}
					results[i].Image, results[i].Err = r.Resolve(ctx, requests[i])
					<-slots
					mu.Lock()
					done++
					n := done
					mu.Unlock()
					report(n, requests[i].Reference)
				}
			})
		}
	}
	all.Wait()
	return results, ctx.Err()
}

// queues holds the indexes of the requests, one queue a registry.
func (r *Resolver) queues(requests []Request) map[string]chan int {
	byRegistry := map[string][]int{}
	for i, q := range requests {
		registry := ""
		if reference, err := r.parse(q.Reference); err == nil {
			registry = reference.Context().RegistryStr()
		}
		byRegistry[registry] = append(byRegistry[registry], i)
	}
	queues := map[string]chan int{}
	for registry, indexes := range byRegistry {
		queue := make(chan int, len(indexes))
		for _, i := range indexes {
			queue <- i
		}
		close(queue)
		queues[registry] = queue
	}
	return queues
}
