// Package hook declares the points at which a script may decide: the stages,
// the facts that it sees, the actions that it may ask for, and what happens
// when it fails. There is no Lua here: plugins/lua implements Program.
//
// A Program never acts. It returns Actions, and the caller (intake at the SMTP
// stages, deliver at delivery) carries them out in its own fixed order. So a
// dry run is the same call without the carrying out.
package hook

import (
	"context"
	"time"

	"facteur/server/address"
)

// Call is one run of a Program.
type Call struct {
	Stage      Stage
	Client     *Client         // Connect to Submit, not at Resolve
	Login      *Login          // at Auth
	Message    *Message        // not at Connect, Auth, Resolve, Calendar and Tick
	Recipient  *Recipient      // at Rcpt
	Address    address.Address // at Resolve
	Box        Box             // at the stages with HasBox
	Change     *Change         // at Stored
	Fate       *Fate           // at Sent, Deferred and Bounced
	Invitation *Invitation     // at Calendar
	Services   Services
	Now        time.Time
	Location   *time.Location
	Trace      TraceLevel
}

// TraceLevel says what the trace of a run holds.
type TraceLevel int

// The levels; each has what those below it have.
const (
	TraceLog    TraceLevel = iota // what the script logged
	TraceCalls                    // calls of our functions
	TraceLines                    // each line that ran
	TraceValues                   // the arguments and results of the calls
)

// Line is a line of a trace.
type Line struct {
	Script string
	Line   int
	Text   string
	Level  TraceLevel // the lowest at which it is there: what it is
}

// Outcome is what a run of a Program came to.
type Outcome struct {
	Actions      []Action
	Destinations []string // at Resolve: what the function returned
	Virus        string   // its name, when a plugin found one in this run
	Scanned      bool     // plugins looked for viruses, and all of them could tell
	Trace        []Line
	Elapsed      time.Duration // less the time inside calls of ours
	// State is the memory that the run used, neither committed nor cancelled; nil: none.
	State State
	// Err is set when the script failed or hit a limit: then there are no Actions.
	Err error
}

// Program is a compiled script. It may be run by several at once.
type Program interface {
	// Name is the script's path as in mail.toml.
	Name() string
	// Hash tells versions of the script apart: the first 12 digits of its SHA-256.
	Hash() string
	// Handles tells whether the script defines a function for the stage.
	Handles(Stage) bool
	// Run never panics, and returns within the limits of the stage.
	Run(context.Context, Call) Outcome
}
