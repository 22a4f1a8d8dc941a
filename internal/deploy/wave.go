package deploy

import (
	"cmp"
	"fmt"
	"strconv"
)

func compareNames(a, b string) int { return cmp.Compare(a, b) }

// waves cuts hosts into those that go first and the others. canary is the name
// of a host or a number of hosts; "" makes one wave of all.
func waves(hosts []HostPlan, canary string) ([][]HostPlan, error) {
	if canary == "" || len(hosts) == 0 {
		return [][]HostPlan{hosts}, nil
	}
	if n, err := strconv.Atoi(canary); err == nil {
		if n < 1 {
			return nil, fmt.Errorf("--canary %s: want a host, or how many of them go first", canary)
		}
		n = min(n, len(hosts))
		return [][]HostPlan{hosts[:n], hosts[n:]}, nil
	}
	var first, others []HostPlan
	for _, h := range hosts {
		if h.Host.Name == canary {
			first = append(first, h)
		} else {
			others = append(others, h)
		}
	}
	return [][]HostPlan{first, others}, nil
}
