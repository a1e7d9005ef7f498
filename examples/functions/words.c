/* Counts the words of its input: stdin -> one line "word count" for each word, in the order of the bytes.
 * An argument is the least count that is shown. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int main(int argc, char **argv) {
    size_t length = 0, room = 1 << 16, got;
    char *text = malloc(room + 1);
    while (text && (got = fread(text + length, 1, room - length, stdin)) > 0) {
        length += got;
        if (length == room) text = realloc(text, (room *= 2) + 1);
    }
    if (!text) return 1;
    text[length] = 0;

    size_t count = 0, least = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    char **words = malloc((length / 2 + 1) * sizeof *words);
    if (!words) return 1;
    for (char *word = strtok(text, " \t\r\n"); word; word = strtok(NULL, " \t\r\n")) words[count++] = word;
    qsort(words, count, sizeof *words, compare);
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first; next < count && !strcmp(words[first], words[next]); next++) {}
        if (next - first >= least) printf("%s %zu\n", words[first], next - first);
    }
    return 0;
}
