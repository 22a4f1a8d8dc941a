package view

import (
	"io"
	"time"

	"pistack/internal/deploy"
	"pistack/internal/status"
	"pistack/internal/target"
)

// statusReport is the JSON form of a status; it is only ever extended, and
// docs/operate.md describes it.
type statusReport struct {
	Schema int           `json:"schema"`
	Kind   string        `json:"kind"` // "status"
	Time   time.Time     `json:"time"`
	InSync bool          `json:"inSync"`
	Totals statusTotals  `json:"totals"`
	Hosts  []statusEntry `json:"hosts"`
}

type statusTotals struct {
	Hosts    int                 `json:"hosts"`
	InSync   int                 `json:"inSync"`
	Verdicts map[status.Code]int `json:"verdicts"`
}

type statusEntry struct {
	Host       string            `json:"host"`
	Verdict    status.Code       `json:"verdict"`
	InSync     bool              `json:"inSync"`
	Findings   []findingReport   `json:"findings"`
	System     *systemReport     `json:"system"`     // null when it could not be asked
	Lock       *lockReport       `json:"lock"`       // null when it is free
	Undo       string            `json:"undo"`       // "", armed, fired, done, failed
	Receipt    *deploy.Receipt   `json:"receipt"`    // null for none
	Repository *repositoryReport `json:"repository"` // null when it could not be compared
	Containers []containerReport `json:"containers"`
	Failed     []string          `json:"failedUnits"`
}

type findingReport struct {
	Code status.Code `json:"code"`
	Text string      `json:"text"`
	Fix  string      `json:"fix"`
}

type systemReport struct {
	Running    string    `json:"running"`
	Booted     string    `json:"booted"`
	Profile    string    `json:"profile"`
	Generation int       `json:"generation"`
	Reboot     bool      `json:"needsReboot"`
	Kernel     string    `json:"kernel"`
	BootID     string    `json:"bootId"`
	Uptime     int64     `json:"uptimeSeconds"`
	Now        time.Time `json:"now"`
	Docker     string    `json:"docker"`
	StoreFree  int64     `json:"storeFreeBytes"`
	DockerFree int64     `json:"dockerFreeBytes"`
}

type lockReport struct {
	Run      string    `json:"run"`
	User     string    `json:"user"`
	From     string    `json:"from"`
	Revision string    `json:"revision"`
	Dirty    bool      `json:"dirty"`
	Since    time.Time `json:"since"`
}

type repositoryReport struct {
	Head     string   `json:"head"`
	Deployed string   `json:"deployed"` // revision; empty when unknown
	Unknown  bool     `json:"unknown"`  // this clone does not have it
	Behind   int      `json:"behind"`
	Ahead    int      `json:"ahead"`
	Counts   string   `json:"counts"` // "host" or "all": which commits and files count
	Changed  []string `json:"changed"`
}

type containerReport struct {
	Stack    string `json:"stack"`
	Service  string `json:"service"`
	Name     string `json:"name"`
	Image    string `json:"image"`
	State    string `json:"state"`
	Health   string `json:"health"`
	ExitCode int    `json:"exitCode"`
	Restarts int    `json:"restarts"`
}

// StatusJSON writes how hosts are, for programs.
func StatusJSON(w io.Writer, r status.Report) error {
	out := statusReport{Schema: 1, Kind: "status", Time: instant(r.Time), InSync: r.InSync(), Hosts: []statusEntry{}}
	out.Totals = statusTotals{Hosts: len(r.Hosts), Verdicts: map[status.Code]int{}}
	for _, h := range r.Hosts {
		out.Totals.Verdicts[h.Verdict]++
		if h.InSync() {
			out.Totals.InSync++
		}
		out.Hosts = append(out.Hosts, statusEntryOf(h))
	}
	return writeJSON(w, out, "  ")
}

func statusEntryOf(h status.Host) statusEntry {
	e := statusEntry{
		Host: kept(h.Facts.Host.Name), Verdict: h.Verdict, InSync: h.InSync(), Findings: []findingReport{},
		Undo: h.Survey.Undo, Containers: []containerReport{}, Failed: keptAll(h.Survey.Failed),
	}
	for _, f := range h.Findings {
		e.Findings = append(e.Findings, findingReport{f.Code, kept(f.Text), kept(f.Fix)})
	}
	if h.Err != nil {
		return e
	}
	e.System, e.Lock, e.Receipt = systemReportOf(h.Survey), lockReportOf(h.Survey.Lock), receiptReportOf(h.Receipt)
	if w := h.Work; w.Err == nil && w.Commit != "" {
		e.Repository = repositoryReportOf(w)
	}
	for _, c := range h.Survey.Containers {
		e.Containers = append(e.Containers, containerReport{
			kept(c.Stack), kept(c.Service), kept(c.Name), kept(c.Image), kept(c.State), kept(c.Health), c.ExitCode, c.Restarts,
		})
	}
	return e
}

func systemReportOf(s target.Survey) *systemReport {
	return &systemReport{
		Running: kept(s.Running), Booted: kept(s.Booted), Profile: kept(s.Profile), Generation: s.Generation, Reboot: s.Reboot, Kernel: kept(s.Kernel),
		BootID: kept(s.BootID), Uptime: int64(s.Uptime / time.Second), Now: instant(s.Now), Docker: kept(s.Docker), StoreFree: s.StoreFree, DockerFree: s.DockerFree,
	}
}

func lockReportOf(o *target.Owner) *lockReport {
	if o == nil {
		return nil
	}
	return &lockReport{kept(o.ID), kept(o.User), kept(o.From), kept(o.Revision), o.Dirty, instant(o.Since)}
}

// receiptReportOf bounds what the machine says.
func receiptReportOf(r *deploy.Receipt) *deploy.Receipt {
	if r == nil {
		return nil
	}
	c := *r
	c.Run, c.Host, c.By, c.From, c.Revision, c.Reason = kept(r.Run), kept(r.Host), kept(r.By), kept(r.From), kept(r.Revision), kept(r.Reason)
	c.Old, c.New, c.Action, c.Outcome, c.Images = kept(r.Old), kept(r.New), kept(r.Action), kept(r.Outcome), keptAll(r.Images)
	c.Begun, c.Ended = instant(r.Begun), instant(r.Ended)
	return &c
}

func repositoryReportOf(w status.Work) *repositoryReport {
	counts := "host"
	if w.Whole {
		counts = "all"
	}
	return &repositoryReport{kept(w.Commit), kept(w.Revision), w.Unknown, w.Behind, w.Ahead, counts, keptAll(w.Changed)}
}
