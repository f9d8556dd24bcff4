// Command bench measures what a call through the gateway costs, beside known
// proxies under the same load, in interleaved rounds on one machine. Ratios
// within a run hold; absolute numbers drift with the machine.
//
//	make bench-gateway
package main
