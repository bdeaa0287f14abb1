// Package server builds the whole from its parts, and changes it while it runs.
package server
