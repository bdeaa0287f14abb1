package control

import "time"

// ScriptStatus is what a script did since the server began, or the script changed.
type ScriptStatus struct {
	Name      string             `json:"name"` // as in mail.toml
	Hash      string             `json:"hash"` // of its source
	Since     time.Time          `json:"since"`
	Runs      int                `json:"runs"`
	Failures  int                `json:"failures"`
	CPU       float64            `json:"cpu"`                 // seconds of this hour
	Suspended bool               `json:"suspended,omitempty"` // it does not run, for it used too much CPU within an hour
	Metrics   map[string]float64 `json:"metrics,omitempty"`   // what it counts itself
}
