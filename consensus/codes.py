"""The code of every rule: the name of a broken rule in errors, logs, RPC answers and the database.

`primitives` and `work` cannot import this module and write their codes as text; tests/unit/consensus/test_codes.py
checks that those texts are members here. A code is never renamed, because programs match on it.
"""

from enum import StrEnum


class Code(StrEnum):
    """Each member is one rule. They are grouped by the check that applies the rule."""

    # Encoding: raised by primitives.codec
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    NOT_CANONICAL = "not-canonical"

    # Headers: validity, times
    BAD_VERSION = "bad-version"
    WRONG_CHAIN_ID = "wrong-chain-id"
    TARGET_OUT_OF_RANGE = "target-out-of-range"
    UNEXPECTED_SEAL = "unexpected-seal"
    MISSING_SEAL = "missing-seal"
    TICKET_OUT_OF_RANGE = "ticket-out-of-range"
    DIGEST_ABOVE_TARGET = "digest-above-target"
    BAD_PARENT = "bad-parent"
    BAD_HEIGHT = "bad-height"
    BAD_TARGET = "bad-target"
    TIME_TOO_OLD = "time-too-old"
    TIME_TOO_NEW = "time-too-new"
    """The block is held until the clock gets there, and is not refused."""

    # Seals and witnesses: raised by work.certificate
    BAD_X_PATH_LENGTH = "bad-x-path-length"
    BAD_W_PATH_LENGTH = "bad-w-path-length"
    BAD_X_PATH = "bad-x-path"
    BAD_W_PATH = "bad-w-path"
    X_NONZERO_PADDING = "x-nonzero-padding"
    W_NONZERO_PADDING = "w-nonzero-padding"
    X_ENTRY_OUT_OF_RANGE = "x-entry-out-of-range"
    W_ENTRY_OUT_OF_RANGE = "w-entry-out-of-range"
    DIGEST_MISMATCH = "digest-mismatch"

    # Blocks: validity, execution
    BAD_TX_ROOT = "bad-tx-root"
    BLOCK_TOO_LARGE = "block-too-large"
    DUPLICATE_TRANSACTION = "duplicate-transaction"
    BAD_STATE_ROOT = "bad-state-root"
    BLOCK_TOO_COSTLY = "block-too-costly"
    TOO_MANY_MATRIX_BYTES = "too-many-matrix-bytes"
    CONFLICTS_WITH_FINAL = "conflicts-with-final"
    """The block leaves the chain below its last final block."""

    # Transactions: transactionrules, transactions, effects, amounts
    TRANSACTION_TOO_LARGE = "transaction-too-large"
    BAD_SIGNATURE = "bad-signature"
    BAD_NONCE = "bad-nonce"
    INSUFFICIENT_BALANCE = "insufficient-balance"
    OVERFLOW = "overflow"
    ZERO_AMOUNT = "zero-amount"
    AMOUNT_TOO_SMALL = "amount-too-small"
    BAD_MULTISIG = "bad-multisig"
    BAD_PAYMENTS = "bad-payments"
    PAYMENTS_NOT_SORTED = "payments-not-sorted"
    PAYMENT_TOO_SMALL = "payment-too-small"

    # Genesis: genesis_state
    BAD_ADDRESS = "bad-address"

    # Matrices named by headers and transactions: matrixrules
    BAD_DIMENSIONS = "bad-dimensions"
    BAD_MATRIX_ID = "bad-matrix-id"
    DEPTH_MISMATCH = "depth-mismatch"

    # Jobs: transactionrules, posting, jobs, settlement
    ZERO_REWARD = "zero-reward"
    BOND_TOO_SMALL = "bond-too-small"
    BAD_CLAIM_WINDOW = "bad-claim-window"
    PRODUCT_TOO_LARGE = "product-too-large"
    BAD_UNITS = "bad-units"
    NO_OUTPUTS = "no-outputs"
    CHALLENGE_TOO_LARGE = "challenge-too-large"
    DEADLINE_PASSED = "deadline-passed"
    DEADLINE_TOO_FAR = "deadline-too-far"
    BURN_ABOVE_MAXIMUM = "burn-above-maximum"
    UNKNOWN_JOB = "unknown-job"
    JOB_NOT_OPEN = "job-not-open"
    TOO_MANY_CLAIMS = "too-many-claims"
    JOB_NOT_CLAIMED = "job-not-claimed"
    NOT_THE_CLAIMER = "not-the-claimer"
    CLAIM_EXPIRED = "claim-expired"
    WRONG_KIND = "wrong-kind"
    BAD_RESULT_SHAPE = "bad-result-shape"
    WRONG_RESULT = "wrong-result"
    NOT_THE_POSTER = "not-the-poster"

    # Challenges: optimistic, and raised by work.fraud
    WRONG_MODE = "wrong-mode"
    JOB_NOT_DELIVERED = "job-not-delivered"
    TILE_IS_RIGHT = "tile-is-right"

    # Juries: disputes, jobs
    BOND_TOO_LARGE = "bond-too-large"
    NO_JURY = "no-jury"
    ALREADY_JUDGED = "already-judged"
    NO_DISPUTE = "no-dispute"
    WRONG_JURY = "wrong-jury"
    NOT_A_JUROR = "not-a-juror"
    COMMIT_WINDOW_OVER = "commit-window-over"
    ALREADY_COMMITTED = "already-committed"
    REVEAL_TOO_EARLY = "reveal-too-early"
    NOT_COMMITTED = "not-committed"
    ALREADY_REVEALED = "already-revealed"
    WRONG_OPENING = "wrong-opening"
    BAD_JURY_SIGNATURE = "bad-jury-signature"
    INDEX_OUTSIDE_MATRIX = "index-outside-matrix"
    BAD_STRIP_SIZE = "bad-strip-size"
    BAD_PATH_LENGTH = "bad-path-length"
    BAD_PATH = "bad-path"

    # Voters, votes and evidence: finality
    NOTHING_MINED = "nothing-mined"
    BAD_PROOF_OF_POSSESSION = "bad-proof-of-possession"
    ALREADY_A_VOTER = "already-a-voter"
    KEY_ALREADY_USED = "key-already-used"
    TOO_MANY_VOTERS = "too-many-voters"
    NOT_A_VOTER = "not-a-voter"
    ALREADY_LEAVING = "already-leaving"
    STILL_BONDED = "still-bonded"
    NOT_SLASHABLE = "not-slashable"
    BAD_LINK = "bad-link"
    BAD_VOTE_SIGNATURE = "bad-vote-signature"
    UNKNOWN_VOTER = "unknown-voter"
    BEFORE_FINALITY_START = "before-finality-start"
    UNKNOWN_TARGET = "unknown-target"
    WRONG_SOURCE = "wrong-source"
    ALREADY_JUSTIFIED = "already-justified"
    BAD_BITMAP = "bad-bitmap"
    TOO_LITTLE_WEIGHT = "too-little-weight"
    BAD_AGGREGATE = "bad-aggregate"

    # Finality proofs: finality.trust
    WRONG_STEP = "wrong-step"
    WRONG_COMMITTEE = "wrong-committee"
    BAD_STATE_PROOF = "bad-state-proof"
    WORK_UNKNOWN = "work-unknown"
    """This is "not yet", not "invalid": only work vouches for the checkpoint, and it is not on the best chain here."""

    # Parts of a state that peers send: stateranges
    BAD_RANGE_PROOF = "bad-range-proof"
    RANGE_OUT_OF_PLACE = "range-out-of-place"
