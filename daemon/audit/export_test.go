package audit

// NewLog is Open for any file.
var NewLog = newLog

// MaxQueue and MaxText are the bounds that tests reach.
const (
	MaxQueue  = maxQueue
	MaxQueued = maxQueued
	MaxText   = maxText
)
