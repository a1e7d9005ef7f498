# Counts the words of its input. An argument is the least count that is shown.
import sys

counts = {}
for word in sys.stdin.buffer.read().split():
    counts[word] = counts.get(word, 0) + 1
least = int(sys.argv[1]) if len(sys.argv) > 1 else 1
for word in sorted(counts):
    if counts[word] >= least:
        print(word.decode(), counts[word])
