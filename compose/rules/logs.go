package rules

import (
	"cmp"
	"fmt"

	"pistack/compose"
)

func unboundedLog() Rule {
	return Rule{
		Code: "unbounded-log", Severity: compose.Warning, check: unboundedLogs, local: true,
		Summary: "a service logs to json-file without a limit",
		Why: `json-file keeps every line until the container is removed. A chatty service fills the SD card in weeks, and a full card stops
every stack. The limits of modules/docker.nix are for the driver that it chooses, local: Docker does not apply them to a
service that names another driver.`,
		Fix: `Leave logging out: the host's driver is compressed and rotated. Or give json-file a max-size and max-file.`,
		Example: `logging:
  driver: json-file
  options: {max-size: 10m, max-file: "3"}`,
	}
}

func unboundedLogs(h host) []problem {
	var problems []problem
	for _, s := range h.services() {
		driver, limit, key := s.LogDriver, s.LogOpt["max-size"], "log_driver"
		if s.Logging != nil {
			driver, limit, key = s.Logging.Driver, s.Logging.Options["max-size"], "logging"
		}
		if limit = cmp.Or(limit, "-1"); driver == "json-file" && limit == "-1" {
			problems = append(problems, s.problem(s.place(key), fmt.Sprintf("service %s logs to json-file without max-size: its log grows until the disk is full", s.Name),
				"leave logging out, or add max-size and max-file to its options"))
		}
	}
	return problems
}
