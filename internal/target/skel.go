package target

import (
	"context"
	"time"
)

func (m Machine) Probe(ctx context.Context) (State, error)     { return State{}, nil }
func (m Machine) Lock(ctx context.Context, o Owner) error      { return nil }
func (m Machine) Unlock(ctx context.Context, id string) error  { return nil }
func (m Machine) BreakLock(ctx context.Context) (Owner, error) { return Owner{}, nil }
func (m Machine) Arm(ctx context.Context, id string, deadline time.Duration, next string) (Before, error) {
	return Before{}, nil
}
func (m Machine) Renew(ctx context.Context, id string) error  { return nil }
func (m Machine) Disarm(ctx context.Context, id string) error { return nil }
func (m Machine) Undo(ctx context.Context, id string, line func(string)) (Outcome, error) {
	return Outcome{}, nil
}
func (m Machine) Await(ctx context.Context, id string) (Outcome, error) { return Outcome{}, nil }
func (m Machine) Health(ctx context.Context, old, next string) (Health, error) {
	return Health{}, nil
}
func (m Machine) Journal(ctx context.Context, unit string, lines int) ([]string, error) {
	return nil, nil
}
func (m Machine) ContainerLog(ctx context.Context, id string, lines int) ([]string, error) {
	return nil, nil
}
func (m Machine) Missing(ctx context.Context, images []string) ([]string, error)     { return nil, nil }
func (m Machine) Pull(ctx context.Context, images []string, line func(string)) error { return nil }
func (m Machine) Invalid(ctx context.Context, paths []string) ([]string, error)      { return nil, nil }
func (m Machine) Units(ctx context.Context, system string) (map[string]string, error) {
	return nil, nil
}
func (m Machine) Generations(ctx context.Context) ([]Generation, error) { return nil, nil }
func (m Machine) Activate(ctx context.Context, id, path, action string, line func(string)) error {
	return nil
}
func (m Machine) SetProfile(ctx context.Context, id, path string) error             { return nil }
func (m Machine) SwitchGeneration(ctx context.Context, id string, n int) error      { return nil }
func (m Machine) WriteReceipt(ctx context.Context, id string, receipt []byte) error { return nil }
func (m Machine) Reboot(ctx context.Context) error                                  { return nil }
