package lua

// mustPrelude compiles Options.Prelude.
func (h *Host) mustPrelude(source []byte) *Script {
	s, err := h.compile("prelude", source, false)
	if err != nil {
		panic("lua: " + err.Error())
	}
	return s
}

// define runs the prelude and the chunk, which define the functions, in the
// environment of the run.
func (s *state) define() error {
	scripts := []*Script{s.script}
	if prelude := s.script.host.prelude; prelude != nil {
		scripts = []*Script{prelude, s.script}
	}
	for _, script := range scripts {
		if err := s.chunk(script); err != nil {
			return err
		}
		s.L.SetTop(0)
	}
	return nil
}

// chunk runs what stands on the top level of a script. Its results are on the stack.
func (s *state) chunk(script *Script) error {
	chunk := s.L.NewFunctionFromProto(script.main)
	chunk.Env = s.env
	s.L.Push(chunk)
	if err := s.protected(0); err != nil {
		return s.failure(err)
	}
	return nil
}
