package deploy

import (
	"time"

	"pistack/internal/fleet"
	"pistack/internal/target"
)

// Action is what is done with a new system, in nixos-rebuild's words.
type Action string

const (
	Switch      Action = "switch"       // test it, gate it, then make it the one that boots
	Boot        Action = "boot"         // at the next boot
	Test        Action = "test"         // now, until the next boot
	DryActivate Action = "dry-activate" // say what would be done
)

// Plan is what a deploy will do to each chosen host. It is computed from what
// the machines and the repository say; nothing but the store of the workstation
// was changed to compute it.
type Plan struct {
	Action   Action
	Revision string // commit of the repository; "" when there is none yet
	Dirty    bool   // the work tree differs from it
	Hosts    []HostPlan
}

// HostPlan is one host's part of a Plan.
type HostPlan struct {
	Host       fleet.Host
	State      target.State // what the machine said before
	Problem    error        // why nothing can be done to it; the rest may be empty then
	Warnings   []string     // such as a clock that is off
	System     string       // store path of the new system
	Derivation string       // what it is built from
	Unchanged  bool         // it runs System already, and boots it
	Closure    int64        // bytes of System and all that it needs
	NewPaths   int          // store paths that have to be copied
	NewBytes   int64        // their size
	Images     []Image      // that the machine lacks
	Units      []UnitChange // in name order
	Reboot     bool         // kernel, initrd or modules differ from those that were booted
	Since      string       // revision that was deployed last, by its receipt; "" when unknown
	Commands   []string     // what will be run, as one would type it

	allImages []string // of the new system
	dirty     bool     // changes that are in no commit touch what it is made of
}

// Image is a container image that has to be pulled.
type Image struct {
	Reference string
	Bytes     int64 // compressed, for the host's platform; 0 when the registry did not say
}

// UnitChange is what the switch does to a unit.
type UnitChange struct {
	Unit   string
	Action UnitAction
}

// UnitAction is what switch-to-configuration does to a unit.
type UnitAction string

const (
	UnitStart   UnitAction = "start"
	UnitStop    UnitAction = "stop"
	UnitRestart UnitAction = "restart"
	UnitReload  UnitAction = "reload"
)

// Receipt is what a deploy leaves on the machine and on the workstation. It is
// for people and for status, and never decides what is deployed.
type Receipt struct {
	Schema     int       `json:"schema"` // 1
	Run        string    `json:"run"`
	Host       string    `json:"host"`
	By         string    `json:"by"`   // user
	From       string    `json:"from"` // workstation
	Revision   string    `json:"revision,omitempty"`
	Dirty      bool      `json:"dirty,omitempty"`
	Action     Action    `json:"action"`
	Old        string    `json:"old"` // systems, as store paths
	New        string    `json:"new"`
	Generation int       `json:"generation,omitempty"`
	Images     []string  `json:"images,omitempty"`
	Outcome    Outcome   `json:"outcome"`
	Reason     string    `json:"reason,omitempty"` // of an outcome that is not a good one
	Begun      time.Time `json:"begun"`
	Ended      time.Time `json:"ended"`
}

// AnythingToDo tells whether Apply would work on a host at all.
func (p Plan) AnythingToDo() bool { return len(p.changing()) > 0 }

// Changing lists the names of the hosts that Apply will work on, sorted.
func (p Plan) Changing() []string {
	var names []string
	for _, h := range p.changing() {
		names = append(names, h.Host.Name)
	}
	return names
}
