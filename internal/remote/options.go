package remote

// SSHOptions are what other programs give to ssh so that it reaches a machine as
// Run does, over the shared connection when there is one. No word has a space.
// Hold keeps that connection open.
func (cs *Connections) SSHOptions(host string) []string {
	options := []string{"-F", cs.config.Path()}
	if c, err := cs.connection(host); err == nil {
		socket, done := cs.share(c)
		defer done()
		options = append(options, sharing(socket)...)
	}
	return options
}

// Hold keeps the shared connection that SSHOptions name from being closed until
// done is called.
func (cs *Connections) Hold(host string) (done func()) {
	c, err := cs.connection(host)
	if err != nil {
		return func() {}
	}
	_, done = cs.share(c)
	return done
}
