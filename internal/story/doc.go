// Package story tests the product's main job from end to end, as people do it:
// in a browser and with curl, on the real programs. It has only tests.
package story
