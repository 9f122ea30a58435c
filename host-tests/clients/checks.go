package main

import "context"

// Something that is tried, and that a later one may build on.
type check struct {
	name string
	try  func(context.Context, *session) error
}

var checks = []check{
	{"the service is ready, and says so without a token", ready},
	{"a batch is stored", storeBatch},
	{"a batch that comes again is answered with the first ids", repeatBatch},
	{"a single event is stored", storeSingle},
	{"what cannot be an event is refused with a problem", refuseBatch},
	{"what comes back is what was sent", compareList},
	{"pages have every event once, in the order of the list", walkPages},
	{"filters find what they should", filter},
	{"an event that the client could not read is kept from it", hideUnreadable},
	{"everything in the log can be read", readEverything},
	{"the score is the weighted mean of what was assessed", effectiveness},
	{"the score of an unknown remediation is refused with a problem", unknownEffectiveness},
	{"the history has the remediation and how well it worked", history},
	{"a window that cannot be read is refused with a problem", wrongWindow},
	{"the chain is valid", verifyChain},
	{"a legal hold is placed, listed and released", hold},
	{"an export has every event, sealed", export},
}
