package ops

import (
	"net/http"
	"slices"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gofiber/fiber/v2"
)

// Routes is the table of what operators ask.
func Routes(h *Health, m *metrics.Metrics) []daemon.Route {
	return slices.Concat(daemon.WithHead(daemon.Route{
		Method:  http.MethodGet,
		Path:    "/livez",
		Summary: "Tells that the process serves, also while it starts",
		Out:     LiveResponse{},
		Open:    true,
		Early:   true,
		Examples: []daemon.Example{
			{Name: "livez", Status: http.StatusOK, Answer: `{"status": "alive"}`},
		},
		Handler: func(c *fiber.Ctx) error { return daemon.WriteJSON(c, alive) },
	}), daemon.WithHead(daemon.Route{
		Method:  http.MethodGet,
		Path:    "/readyz",
		Summary: "Tells whether code can be run now, and what is wrong where it cannot",
		Out:     Report{},
		Answers: []daemon.Answer{{Status: http.StatusServiceUnavailable, Meaning: "It cannot, or not yet", Body: Report{}}},
		Open:    true,
		Early:   true,
		Examples: []daemon.Example{
			{Name: "readyz", Status: http.StatusOK},
		},
		Handler: func(c *fiber.Ctx) error {
			r := h.Report()
			c.Status(r.status())
			return daemon.WriteJSON(c, r)
		},
	}), []daemon.Route{{
		Method:  http.MethodGet,
		Path:    "/metrics",
		Summary: "What the daemon counts, for Prometheus; for an administrator's key, where there are keys",
		Answers: []daemon.Answer{{Status: http.StatusOK, MediaType: "text/plain"}},
		Admin:   true,
		Early:   true,
		Examples: []daemon.Example{
			{Name: "metrics", Status: http.StatusOK},
		},
		Handler: func(c *fiber.Ctx) error {
			text, contentType, err := m.Scrape()
			if err != nil {
				return err
			}
			c.Set(fiber.HeaderContentType, contentType)
			return c.Send(text)
		},
	}})
}

// LiveResponse is what GET /livez answers.
type LiveResponse struct {
	Status string `json:"status"`
}

var alive = LiveResponse{Status: "alive"}

// status is that of the answer.
func (r Report) status() int {
	if r.Status == Ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
