package imapsearch

import (
	"context"
	"strings"
	"testing"
)

// A panic over one message is the error of one search.
func TestSpreadPanics(t *testing.T) {
	w := watch{env: &Env{}, total: 10}
	err := w.spread(context.Background(), 10, func(_ context.Context, next func() (from, to int)) error {
		for {
			from, to := next()
			if from == to {
				return nil
			}
			if from == 3 {
				panic("message 3")
			}
		}
	})
	if err == nil || !strings.Contains(err.Error(), "message 3") {
		t.Error(err)
	}
}
