package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// maxReceipt is the largest receipt in bytes; Probe reads no more.
const maxReceipt = 1_000_000

// Conclude keeps a receipt on the machine, safe from a power cut, and the last 20
// beside it; then it gives the lock back, in the same session. With an error, the
// receipt may be there or not, and the run may have its lock still.
func (m Machine) Conclude(ctx context.Context, id string, receipt []byte) error {
	if err := checkID(id); err != nil {
		return err
	}
	if len(receipt) > maxReceipt {
		return fmt.Errorf("%s: a receipt of %d bytes is too large", m.host, len(receipt))
	}
	err := m.askAll(ctx, step{says: "writing the receipt", stdin: bytes.NewReader(receipt)},
		part{script: "receipt.sh", args: []string{id}}, part{script: "unlock.sh", args: []string{id}})
	var held *Held
	if errors.As(err, &held) {
		return nil // somebody broke the lock meanwhile; the receipt was written under it
	}
	return err
}
