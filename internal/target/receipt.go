package target

import (
	"bytes"
	"context"
	"fmt"
)

// maxReceipt is the largest receipt in bytes; Probe reads no more.
const maxReceipt = 1_000_000

// WriteReceipt keeps a receipt on the machine, safe from a power cut, and the
// last 20 beside it. Writing it again changes nothing.
func (m Machine) WriteReceipt(ctx context.Context, id string, receipt []byte) error {
	if len(receipt) > maxReceipt {
		return fmt.Errorf("%s: a receipt of %d bytes is too large", m.host, len(receipt))
	}
	_, err := m.run(ctx, step{script: "receipt.sh", says: "writing the receipt", args: []string{id}, stdin: bytes.NewReader(receipt)})
	return err
}
