package images

import (
	"fmt"
	"slices"
	"strings"
)

// platformProblem tells why an image with these platforms does not run on a
// host, or nothing. asked is the service's own platform, mostly empty.
func platformProblem(asked string, have []string, host string) (problem, fix string) {
	wanted := host
	if asked != "" {
		wanted = spelledOut(asked)
	}
	list := strings.Join(have, ", ")
	switch {
	case !runs(wanted, host):
		return fmt.Sprintf("is to be that for %s, and the host is %s", wanted, host),
			"take platform out of the service, or out of this host's file"
	case slices.ContainsFunc(have, func(p string) bool { return covers(p, wanted) }):
		return "", ""
	case asked == "" && slices.ContainsFunc(have, func(p string) bool { return runs(p, host) }):
		return fmt.Sprintf("exists for %s only, and the host is %s", list, host),
			"use an image that has it; if this one is known to run there, name its platform in the service, like platform: linux/arm/v7"
	}
	return fmt.Sprintf("exists for %s only, not for %s", list, wanted), "use an image or a tag that has it"
}

// runs tells whether a host can run programs of a platform: its own, and the
// 32-bit ones that its processor knows as well.
func runs(platform, host string) bool {
	narrow := map[string]string{"linux/arm64": "linux/arm", "linux/amd64": "linux/386"}[host]
	return covers(platform, host) || narrow != "" && covers(platform, narrow)
}

// covers tells whether what is asked for can be had as this platform. One that
// was asked for without a variant takes any.
func covers(platform, asked string) bool {
	return platform == asked || strings.HasPrefix(platform, asked+"/") ||
		asked == "linux/arm64/v8" && platform == "linux/arm64"
}

// spelledOut is a service's platform as registries write it: Compose also takes
// a bare architecture, by the names that uname and Go have for it.
func spelledOut(asked string) string {
	if !strings.Contains(asked, "/") {
		asked = "linux/" + asked
	}
	system, architecture, _ := strings.Cut(asked, "/")
	for name, plain := range map[string]string{"aarch64": "arm64", "x86_64": "amd64", "x86-64": "amd64", "armhf": "arm/v7", "i386": "386"} {
		if architecture == name {
			architecture = plain
		}
	}
	return system + "/" + architecture
}
