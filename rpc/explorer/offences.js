// What a worker did that broke a rule, in words (docs/workers.md, limits and offences).

export const OFFENCES = {
  "bad-message": "a message that cannot be decoded",
  "not-a-message": "text in place of a message",
  "too-large": "a message that is too large",
  "too-fast": "too many messages or shares",
  "silent": "it said nothing for too long",
  "unexpected-message": "a message at the wrong time",
  "unknown-assignment": "an assignment that it never had",
  "unknown-template": "a template that it never had",
  "unknown-run": "a run that its piece does not need",
  "rows-out-of-order": "rows out of order",
  "rows-missing": "a piece without all of its rows",
  "foreign-prefix": "a share under another worker's prefix",
  "duplicate-share": "the same share twice",
  "share-outside": "a share outside of its assignment",
  "share-above-target": "a share that is too easy",
  "wrong-digest": "a share with a wrong digest",
  "wrong-rows": "rows that are not the product",
};
