package secrets

import "bytes"

// CheckLogin tells whether a value is what a private registry takes as
// credentials: "user:token" on one line, neither of them empty. A token may hold
// colons; a user cannot. The error quotes nothing of the value.
func CheckLogin(value []byte) error {
	user, token, found := bytes.Cut(value, []byte(":"))
	control := bytes.IndexFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0
	if found && len(user) > 0 && len(token) > 0 && !control {
		return nil
	}
	return &Error{Message: "the value is no login of a registry", Fix: "it has to be user:token, on one line"}
}
