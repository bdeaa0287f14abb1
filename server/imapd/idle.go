package imapd

import (
	"errors"
	"os"
	"time"
)

// cmdIdle is IDLE (RFC 2177, RFC 9051 6.3.13). The session's goroutine waits for
// its client; what the mailbox has to tell wakes it.
func (s *session) cmdIdle(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	// Not flushed: what is new already goes out with it. Thunderbird may miss what comes
	// between the "+" and its waiting for more, and hears nothing from then on.
	s.enc.Raw("+ idling\r\n")
	stop := s.wakeOnNews()
	ended := s.idle()
	stop()
	s.link.waitUntil(time.Time{})
	if !ended {
		return errLater
	}
	line := string(s.dec.Line())
	if err := s.dec.Err(); err != nil {
		return err
	}
	if len(line) != 4 || line[0]|0x20 != 'd' || line[1]|0x20 != 'o' || line[2]|0x20 != 'n' || line[3]|0x20 != 'e' {
		return bad("", "IDLE ends with DONE")
	}
	return nil
}

// idle tells changes until the client sends something. false: the session is to
// end.
func (s *session) idle() bool {
	opt := s.options()
	last := time.Now().Add(opt.IdleTimeout)
	alive := time.Now().Add(opt.KeepAlive)
	for {
		if s.state == inMailbox {
			s.tell(true)
		}
		s.observe()
		if s.over || s.flush() != nil {
			s.over = true
			return false
		}
		s.link.waitUntil(alive)
		if alive.After(last) {
			s.link.waitUntil(last)
		}
		err := s.dec.Wait()
		woken := err != nil && s.link.heard()
		switch {
		case err == nil:
			return true
		case !errors.Is(err, os.ErrDeadlineExceeded):
			s.over = true
			return false
		case s.why.Load() != nil:
			s.farewell()
			return false
		case woken:
		case !time.Now().Before(last):
			s.timeout()
			return false
		default:
			s.enc.Raw("* OK Still here\r\n")
			alive = time.Now().Add(opt.KeepAlive)
		}
	}
}

// wakeUnasked is wakeOnNews for a client that listens all the time.
func (s *session) wakeUnasked() (stop func()) {
	if !s.listens() {
		return func() {}
	}
	return s.wakeOnNews()
}

// wakeOnNews wakes the session when there is something to tell, until stop is
// called.
func (s *session) wakeOnNews() (stop func()) {
	news := s.news()
	var others <-chan struct{}
	if s.observer != nil {
		others = s.observer.c
	}
	if news == nil && others == nil {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-news:
				s.link.wake()
			case <-others:
				s.link.wake()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
		if s.link.heard(); s.why.Load() != nil {
			s.link.wake() // it was end that woke
		}
	}
}
