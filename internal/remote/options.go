package remote

// SSHOptions are what other programs give to ssh so that it reaches a machine as
// Run does, over the shared connection when there is one. No word has a space.
func (cs *Connections) SSHOptions(host string) []string {
	options := []string{"-F", cs.config.Path()}
	if c, err := cs.connection(host); err == nil {
		options = append(options, "-o", "ControlMaster=auto", "-o", "ControlPath="+c.socket, "-o", "ControlPersist="+persist)
	}
	return options
}
