package view

import (
	"io"
	"time"

	"pistack/internal/deploy"
	"pistack/internal/target"
)

// planReport is the JSON form of a plan; it is only ever extended, and
// docs/deploy-json.md describes it.
type planReport struct {
	Schema   int           `json:"schema"`
	Action   deploy.Action `json:"action"`
	Revision string        `json:"revision"`
	Dirty    bool          `json:"dirty"`
	Totals   planTotals    `json:"totals"`
	Hosts    []planHost    `json:"hosts"`
}

type planHost struct {
	Name       string      `json:"name"`
	Address    string      `json:"address"`
	Status     standing    `json:"status"`
	Problems   []problem   `json:"problems"`
	Warnings   []string    `json:"warnings"`
	State      planState   `json:"state"`
	System     string      `json:"system"`
	Derivation string      `json:"derivation"`
	Closure    int64       `json:"closure"`
	NewPaths   int         `json:"newPaths"`
	NewBytes   int64       `json:"newBytes"`
	Images     []planImage `json:"images"`
	Units      []planUnit  `json:"units"`
	Reboot     bool        `json:"reboot"`
	Since      string      `json:"since"`
	Commands   []string    `json:"commands"`
}

type planImage struct {
	Reference string `json:"reference"`
	Bytes     int64  `json:"bytes"`
}

type planUnit struct {
	Unit   string            `json:"unit"`
	Action deploy.UnitAction `json:"action"`
}

type planState struct {
	Hostname   string    `json:"hostname"`
	Arch       string    `json:"arch"`
	Kernel     string    `json:"kernel"`
	BootID     string    `json:"bootId"`
	Now        time.Time `json:"now,omitzero"`
	Running    string    `json:"running"`
	Booted     string    `json:"booted"`
	Profile    string    `json:"profile"`
	Generation int       `json:"generation"`
	StoreFree  int64     `json:"storeFree"`
	DockerFree int64     `json:"dockerFree"`
	Failed     []string  `json:"failed"`
}

// PlanJSON writes a plan for programs.
func PlanJSON(w io.Writer, p deploy.Plan) error {
	r := planReport{Schema: 1, Action: kept(p.Action), Revision: kept(p.Revision), Dirty: p.Dirty, Totals: totalsOf(p), Hosts: []planHost{}}
	for _, h := range p.Hosts {
		r.Hosts = append(r.Hosts, planHostOf(h))
	}
	return writeJSON(w, r, "  ")
}

func planHostOf(h deploy.HostPlan) planHost {
	out := planHost{
		Name: kept(h.Host.Name), Address: kept(h.Host.Address), Status: standingOf(h),
		Problems: list(problems(h.Problem)), Warnings: keptAll(h.Warnings), State: planStateOf(h.State),
		System: kept(h.System), Derivation: kept(h.Derivation), Closure: h.Closure, NewPaths: h.NewPaths, NewBytes: h.NewBytes,
		Images: []planImage{}, Units: []planUnit{},
		Reboot: h.Reboot, Since: kept(h.Since), Commands: keptAll(h.Commands),
	}
	for _, i := range h.Images {
		out.Images = append(out.Images, planImage{kept(i.Reference), i.Bytes})
	}
	for _, u := range h.Units {
		out.Units = append(out.Units, planUnit{kept(u.Unit), kept(u.Action)})
	}
	return out
}

func planStateOf(s target.State) planState {
	return planState{
		Hostname: kept(s.Hostname), Arch: kept(s.Arch), Kernel: kept(s.Kernel), BootID: kept(s.BootID),
		Now: instant(s.Now), Running: kept(s.Running), Booted: kept(s.Booted), Profile: kept(s.Profile),
		Generation: s.Generation, StoreFree: s.StoreFree, DockerFree: s.DockerFree, Failed: keptAll(s.Failed),
	}
}
