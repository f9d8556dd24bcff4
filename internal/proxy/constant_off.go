//go:build !constant

package proxy

const constant = false
