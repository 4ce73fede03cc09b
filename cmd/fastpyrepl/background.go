package main

import (
	"context"
	"strings"
	"sync"

	"github.com/gjyotin305/fastpyrepl/client"
)

// maxBackground is how much of what goes on behind the code is kept until it can be shown, in bytes. The daemon keeps no
// more itself.
const maxBackground = 256 << 10

// background is what threads and child processes of a session write after the end of their code: it comes while somebody
// types, and is shown before the next prompt.
type background struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	text strings.Builder // guarded by mu
	cut  bool            // guarded by mu; there was more
}

// follow begins to take what a session writes, what is kept of before included, and forgets an earlier one.
func (b *background) follow(ctx context.Context, c *client.Client, session string) {
	b.close()
	ctx, b.cancel = context.WithCancel(ctx)
	b.wg.Go(func() {
		for ev, err := range c.SessionEvents(ctx, session, 0) {
			if err != nil {
				return // the daemon cannot be reached: the next code says so
			}
			b.add(ev.Text)
		}
	})
}

func (b *background) add(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut = b.cut || b.text.Len()+len(text) > maxBackground; !b.cut {
		b.text.WriteString(text)
	}
}

// take is what has come since it was last called.
func (b *background) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.String()
	if b.cut {
		text += "\n[... more output was left out ...]\n"
	}
	b.text.Reset()
	b.cut = false
	return text
}

// close ends following.
func (b *background) close() {
	if b.cancel != nil {
		b.cancel()
		b.wg.Wait()
	}
}
