package server

import (
	"context"
	"path/filepath"
	"time"

	"facteur/server/senderauth"
)

// keysDir is where the private keys are, of signatures above all.
func keysDir(data string) string { return filepath.Join(data, "keys") }

func (s *Server) senderSettings(c *settings) senderauth.Settings {
	return senderauth.Settings{Resolver: s.resolver, Sealers: c.Sealers}
}

// refreshTimeout bounds how long the DNS is asked which of our keys it has.
const refreshTimeout = time.Minute

// refreshKeys puts new DKIM keys in use that the DNS has by now.
func (s *Server) refreshKeys() {
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	go func() { // a stop does not wait for the DNS
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := s.keys.Refresh(ctx, s.resolver); err != nil {
		s.log.Error("senderauth.keys", "error", err)
	}
}
