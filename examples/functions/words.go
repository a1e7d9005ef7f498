// Counts the words of its input: stdin -> one line "word count" for each word, in the order of the bytes.
// An argument is the least count that is shown.
package main

import (
	"bufio"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		os.Exit(1)
	}
	least := 1
	if len(os.Args) > 1 {
		least, _ = strconv.Atoi(os.Args[1])
	}
	counts := map[string]int{}
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }) {
		counts[word]++
	}
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	sort.Strings(words)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, word := range words {
		if counts[word] >= least {
			out.WriteString(word + " " + strconv.Itoa(counts[word]) + "\n")
		}
	}
}
