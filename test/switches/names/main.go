// Command names prints the name of each setting that test/switches knows.
package main

import (
	"fmt"
	"strings"

	"github.com/nightpos/outlook-gateway/test/switches"
)

func main() { fmt.Println(strings.Join(switches.Names(), "\n")) }
