// Package sandbox runs Python in sessions, each in a container of its own, and tells the truth about how every
// execution ended.
//
// It owns the life of sessions (Manager, Session), the executions in them (Execution, Event, Result) and the seam to
// whatever starts containers (Runtime, Instance). It knows neither HTTP nor Docker: dialects in daemon render its events,
// sandbox/docker implements its Runtime.
//
// Code that ran and failed is a Result. A Go error means that the service failed, or that the request was refused;
// its kind is found with ErrorCode.
package sandbox
