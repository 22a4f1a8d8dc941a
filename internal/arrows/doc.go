// Package arrows holds no code: its test keeps the imports between the packages
// of this module running one way, from cmd down.
package arrows
