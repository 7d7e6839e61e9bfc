// Package ext is the module that Traefik keeps in a folder of its own and no module proxy has: the two types that
// its dynamic configuration embeds, for others to extend it with. Nothing is extended here.
package ext

type (
	HTTP   struct{}
	Router struct{}
)
