"""Tasks through a node: a program or a function is put into the mesh, posted as a job, and its outputs are fetched.

Pipeline: files into the mesh -> quote -> PostTask -> wait for the delivery -> outputs, each compared with its type and,
if the caller asks for it, with a run on this machine.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from numpy.typing import NDArray

from inos import functions, programs
from inos.client import models
from inos.client.costs import choose_max_burn, choose_reward, read_max_cost
from inos.client.errors import ClientError, JobFailed, RemoteError
from inos.client.job_watcher import JobWatch, JobWatcher, OnState, ignore_state
from inos.client.operands import read_credits
from inos.client.sender import FETCH_WAIT_S, Sender
from inos.client.task_terms import DEFAULT_TERMS, TaskTerms
from inos.functions import FunctionSpec, InvalidFunction
from inos.functions.limits import SPEC_VERSION
from inos.functions.spec import check_data
from inos.primitives.transactions import TaskKind, compute_tx_id
from inos.primitives.units import Height, MatrixId
from inos.programs import CheckedProgram, InvalidInput, Program
from inos.programs.builder import BuiltProgram
from inos.programs.limits import PROFILE_PEAK_BYTES, PROFILE_UNITS
from inos.programs.types import Array
from inos.programs.values import check_value
from inos.wallet import build
from inos.wallet.modes import find_missing_jury
from inos.work.files import compute_file_id

DEFAULT_TASK_TIMEOUT_S: Final = 600.0
FIND_WAIT_S: Final = 3.0
"""If no part of a program has come after this long, no node has it: programs are small."""
DEFAULT_PAGES: Final = 1024
"""64 MiB of memory for a function."""
DEFAULT_STEPS: Final = 2**30
DEFAULT_OUTPUT_BYTES: Final = 2**20


class TaskSender(Sender):
    """A Sender that posts tasks and brings their outputs. Inputs and outputs are public."""

    _watcher: JobWatcher

    async def quote_task(
        self, units: int, *, reward_nano: int | None = None, poster: str | None = None
    ) -> models.TaskQuote:
        """Return what a task of so many units would cost now."""
        reward = None if reward_nano is None else str(reward_nano)
        return await self._ask(models.TaskQuote, "job_quoteTask", units=units, reward=reward, poster=poster)

    async def deploy(self, program: Program | BuiltProgram) -> str:
        """Put a program, with the matrices that it was built with, into the mesh; return the program's id in hex.

        Raises:
            InvalidProgram: the program breaks a rule. ClientError: "wrong-matrix".
        """
        matrices = program.matrices if isinstance(program, BuiltProgram) else {}
        structure = program.program if isinstance(program, BuiltProgram) else program
        await asyncio.to_thread(programs.check_program, structure)
        for id, data in matrices.items():
            ref = await (self.put_bytes(data) if isinstance(data, bytes) else self.put_matrix(data))
            if ref.id != id:
                raise ClientError("wrong-matrix", f"the matrix named {id.hex()} is {ref.id.hex()}")
        return (await self.put_bytes(programs.encode_program(structure))).id.hex()

    async def get_program(self, program: str, *, wait_s: float = FETCH_WAIT_S) -> Program:
        """Return a program by its id in hex; the node asks its peers for up to `wait_s` seconds, if one of them has it.

        Raises:
            ClientError: "program-unknown": after three seconds no node has sent a part of it. "not-bytes".
            InvalidProgram: the file is no program.
        """
        try:
            data = await self.get_bytes(program, wait_s=min(wait_s, FIND_WAIT_S))
        except RemoteError as error:
            if error.code != "matrix-unknown":
                raise
            if not await self._is_arriving(program):
                raise ClientError(
                    "program-unknown",
                    f"no node that could be asked has the program {program}",
                    hint="compare the id with its author's; inos program deploy puts a program into the network",
                ) from None
            data = await self.get_bytes(program, wait_s=wait_s)
        return programs.decode_program(data)

    async def post_task(
        self,
        kind: TaskKind,
        spec: MatrixId,
        inputs: Sequence[MatrixId],
        *,
        tickets: int,
        units: int,
        terms: TaskTerms = DEFAULT_TERMS,
    ) -> str:
        """Post a task whose files are in the mesh; return its id in hex.

        Raises:
            WalletError, ClientError: nothing was sent. RemoteError: the node refused.
        """
        asked = None if terms.reward is None else read_credits("reward", terms.reward, None)
        params = (await self.get_network()).params
        quote = await self.quote_task(units, reward_nano=asked, poster=await self.get_address())
        missing = find_missing_jury(quote.jurors)
        if missing is not None and not terms.may_wait_for_jury:
            raise missing
        fee, head = await self._get_fee(None), await self.head()
        reward = choose_reward(quote, asked, units)
        payload = build.make_post_task(
            params,
            Height(head.height),
            kind,
            spec,
            inputs,
            tickets=tickets,
            units=units,
            reward=reward,
            max_burn=choose_max_burn(quote, reward, fee, terms.max_burn, read_max_cost(terms.max_cost)),
            lifetime=params.max_job_lifetime if terms.lifetime is None else terms.lifetime,
            bond=terms.bond,
            claim_window=terms.claim_window or build.choose_claim_window(params, units, head.difficulty),
        )
        return compute_tx_id(await self.send_payload(payload, fee_nano=fee)).hex()

    async def run(
        self,
        program: Program | BuiltProgram | str,
        inputs: Sequence[NDArray[Any]],
        *,
        terms: TaskTerms = DEFAULT_TERMS,
        timeout_s: float = DEFAULT_TASK_TIMEOUT_S,
        on_posted: OnState = ignore_state,
        on_state: OnState = ignore_state,
    ) -> list[Array]:
        """Let a miner run a program, and return its outputs, one matrix of integers each.

        Args:
            program: the program, which is deployed first, or its id in hex as `deploy` returns it.
            inputs: the matrices that the program is given, in order.
            on_posted: is called with the task's id, which a dispute needs.

        Raises:
            InvalidProgram, InvalidInput, WalletError, ClientError: nothing was posted.
            JobFailed: the task failed, or its outputs do not have the program's types ("wrong-result").
        """
        checked = await self._check(program)
        if len(inputs) != len(checked.given):
            raise InvalidInput("input-count", f"{len(inputs)} inputs are given; the program takes {len(checked.given)}")
        given = [
            await asyncio.to_thread(_encode_input, array, type_, number)
            for number, (array, type_) in enumerate(zip(inputs, checked.given, strict=True))
        ]
        if not isinstance(program, str):
            await self.deploy(program)
        files = [(await self.put_bytes(data)).matrix_id for data in given]
        spec = programs.compute_program_id(checked.program)
        job = await self.post_task(
            TaskKind.PROGRAM, spec, files, tickets=checked.cost.tickets, units=checked.cost.units, terms=terms
        )
        on_posted(job)
        outputs = await self.wait_outputs(job, timeout_s, on_state)
        if len(outputs) != len(checked.results):
            raise _make_wrong(job, f"it has {len(outputs)} outputs, and the program {len(checked.results)}")
        try:
            return [
                await asyncio.to_thread(programs.decode_value, data, type_, f"output {number}")
                for number, (data, type_) in enumerate(zip(outputs, checked.results, strict=True))
            ]
        except InvalidInput as error:
            raise _make_wrong(job, error.message) from error

    async def call_function(
        self,
        module: bytes,
        stdin: bytes = b"",
        *,
        args: Sequence[str] = (),
        pages: int = DEFAULT_PAGES,
        steps: int = DEFAULT_STEPS,
        output_bytes: int = DEFAULT_OUTPUT_BYTES,
        seed: bytes | None = None,
        terms: TaskTerms = DEFAULT_TERMS,
        timeout_s: float = DEFAULT_TASK_TIMEOUT_S,
        on_posted: OnState = ignore_state,
        on_state: OnState = ignore_state,
    ) -> bytes:
        """Let a miner run a WebAssembly command, and return what it writes on stdout.

        Args:
            module: the bytes of a WASI preview 1 command.
            pages, steps, output_bytes, seed: see inos.functions.FunctionSpec.
            on_posted: is called with the task's id, which a dispute needs.

        Raises:
            InvalidFunction, WalletError, ClientError: nothing was posted. JobFailed: the task failed.
        """
        info = await asyncio.to_thread(functions.inspect_module, module)
        if info.pages > pages:
            raise InvalidFunction("memory", f"the module starts with {info.pages} pages, and {pages} are allowed")
        texts = tuple(arg.encode() for arg in args)
        spec = FunctionSpec(SPEC_VERSION, compute_file_id(module), texts, pages, steps, output_bytes, seed)
        encoded = functions.encode_spec(spec)
        check_data(spec, len(module), len(stdin))
        await self.put_bytes(module)
        file = await self.put_bytes(encoded)
        given = [(await self.put_bytes(stdin)).matrix_id] if stdin else []
        units = functions.compute_units(spec, len(module), len(stdin))
        job = await self.post_task(TaskKind.FUNCTION, file.matrix_id, given, tickets=0, units=units, terms=terms)
        on_posted(job)
        outputs = await self.wait_outputs(job, timeout_s, on_state)
        if len(outputs) != 1 or len(outputs[0]) > output_bytes:
            raise _make_wrong(job, "it is not one file of the declared length")
        return outputs[0]

    async def outputs(self, job: str, *, wait_s: float = FETCH_WAIT_S) -> list[bytes]:
        """Return the outputs of a delivered task, each checked against its id.

        Raises:
            JobFailed: "job-open" if it is not delivered. ClientError: "not-a-task".
        """
        found = await self._ask(models.Job, "job_get", id=job)
        if found.task is None:
            raise ClientError("not-a-task", f"job {job} asks for a product", hint="fetch it: inos job result JOB")
        if found.outputs is None:
            raise JobFailed("job-open", job, f"task {job} is {found.state}, and not delivered yet")
        return [await self.get_bytes(each, wait_s=wait_s) for each in found.outputs]

    async def wait_outputs(
        self, job: str, timeout_s: float = DEFAULT_TASK_TIMEOUT_S, on_state: OnState = ignore_state
    ) -> list[bytes]:
        """Wait until a task is delivered, and return its outputs, each checked against its id.

        Raises:
            JobFailed: the task failed. ClientError: "not-a-task".
        """
        await self._watcher.wait(JobWatch(job, timeout_s, 1, is_delivery_enough=True, on_state=on_state))
        return await self.outputs(job)

    async def _is_arriving(self, file: str) -> bool:
        """Return True if the node has a part of the file."""
        before = f"{max(0, int(file, 16) - 1):064x}"
        page = await self._ask(models.MatrixPage, "mesh_list", after=before, limit=1)
        return any(each.id == file for each in page.matrices)

    async def _check(self, program: Program | BuiltProgram | str) -> CheckedProgram:
        """Check a program, which is fetched if its id is given, and that jurors can run it."""
        if isinstance(program, str):
            structure = await self.get_program(program)
        else:
            structure = program.program if isinstance(program, BuiltProgram) else program
        checked = await asyncio.to_thread(programs.check_program, structure)
        cost = checked.cost
        if cost.units > PROFILE_UNITS or cost.peak_bytes > PROFILE_PEAK_BYTES:
            raise ClientError(
                "task-too-large",
                f"the program has {cost.units} units and needs {cost.peak_bytes} bytes at once; jurors compute up to "
                f"{PROFILE_UNITS} units with {PROFILE_PEAK_BYTES} bytes",
                hint="split it into several programs, each reading the last one's outputs",
            )
        return checked


def _encode_input(array: NDArray[Any], type_: programs.Type, number: int) -> bytes:
    return programs.encode_value(check_value(array, type_, f"input {number}"), type_)


def _make_wrong(job: str, reason: str) -> JobFailed:
    hint = f"ask a jury: inos job dispute {job}"
    return JobFailed("wrong-result", job, f"the outcome of task {job} is wrong: {reason}", hint=hint)
