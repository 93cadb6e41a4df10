"""The processes of `jax.distributed` that run the same program: how they exchange results and notice a lost one.

Nothing here is a collective computation: processes talk through the key-value store of JAX's own coordination service,
which lives in process 0, so that a process that waits notices when another is lost. Each beats there every two
seconds; one that is silent for twenty is lost. The others then raise `ProcessLost` as soon as they come to `check`;
one whose main thread does not come there (a long computation, a library that waits) is ended with the same message.
If process 0 is lost the store is too, and JAX ends every process by abort(); that is caught to say what happened.
"""

import contextlib
import io
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from interjax._engine._runtime import end_process, leave_without_the_others, on_abort, store

_BEAT_SECONDS = 2.0
_SILENT_SECONDS = 20.0
_GRACE_SECONDS = 20.0
_START_SECONDS = 40
_STORE = "interjax"
_CHUNK_BYTES = 2**20  # a message of the store holds 4 MiB at most


class ProcessLost(RuntimeError):
    """Another process of this run stopped answering or failed."""


class Group:
    """The processes that run this program together; of one process where `jax.distributed` is not used.

    Attributes:
        rank: number of this process.
        size: number of processes.
        folder: where what is measured is kept, for messages; None = nowhere.
    """

    def __init__(self, rank: int = 0, size: int = 1, name: str = ""):
        self.rank, self.size = rank, size
        self.folder: Any = None
        self._store = store()
        self._name = f"{_STORE}/{name}"
        self._lost = ""
        self._exchanges = 0
        self._passes = [0] * size
        self._told, self._stopped = threading.Event(), threading.Event()

    def check(self) -> None:
        """Raise ProcessLost if another process was lost."""
        if self._lost:
            self._told.set()
            raise ProcessLost(self._message(self._lost))

    def passes(self, made: int) -> int:
        """Tell the others how many passes this process made; return those of all, as far as they told."""
        self._passes[self.rank] = made
        return sum(self._passes)

    def exchange(self, mine: dict[str, np.ndarray], waiting: Callable[[], Any] | None = None) -> list[dict]:
        """Named arrays of every process, in their order; `waiting` is called about every second meanwhile."""
        if self.size == 1:
            return [mine]
        self._exchanges += 1
        topic = f"{self._name}/exchange{self._exchanges}"
        self._write(f"{topic}/{self.rank}", _to_bytes(mine))
        found = [
            mine if rank == self.rank else _from_bytes(self._read(f"{topic}/{rank}", waiting))
            for rank in range(self.size)
        ]
        if self._exchanges > 1:  # whoever takes part in this exchange has read all of the last one
            self._store.key_value_delete(f"{self._name}/exchange{self._exchanges - 1}/{self.rank}")
        return found

    def agree(self, what: dict[str, Any]) -> None:
        """Raise ValueError unless every process was started with the same."""
        text = np.array(json.dumps(what, sort_keys=True))
        for rank, found in enumerate(self.exchange({"settings": text})):
            other = json.loads(str(found["settings"]))
            differing = sorted(name for name in other if other[name] != json.loads(str(text))[name])
            if differing:
                raise ValueError(
                    f"process {rank} and process {self.rank} run with different settings ({', '.join(differing)} "
                    "differ): start the same program with the same arguments and files in each process"
                )

    def check_one_folder(self, folder: Path) -> None:
        """Raise ValueError unless every process reaches the same folder under the name that it was given."""
        if self.size == 1:
            return
        sign = folder / f".together-{self.exchange({'name': np.array(uuid.uuid4().hex)})[0]['name']}"
        if self.rank == 0:
            sign.touch()
        self.exchange({})
        deadline = time.monotonic() + _SILENT_SECONDS  # a file of another machine may be seen late
        while not sign.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
            os.listdir(folder)  # what the system remembers of the folder is read anew
        sees = [bool(found["sees"]) for found in self.exchange({"sees": np.array(sign.exists())})]
        if self.rank == 0:
            sign.unlink()
        if not all(sees):
            raise ValueError(
                f"process {sees.index(False)} does not share the folder of process 0: give every process one folder "
                f"that all can reach; process {self.rank} has {folder}"
            )

    def _write(self, key: str, content: bytes) -> None:
        pieces = range(0, len(content), _CHUNK_BYTES)
        for start in pieces:
            self._store.key_value_set_bytes(f"{key}/{start}", content[start : start + _CHUNK_BYTES])
        self._store.key_value_set(f"{key}/size", str(len(content)))

    def _read(self, key: str, waiting: Callable[[], Any] | None) -> bytes:
        size = None
        while size is None:
            self.check()
            if waiting:
                waiting()
            with contextlib.suppress(jax.errors.JaxRuntimeError):  # not there yet
                size = int(self._store.blocking_key_value_get(f"{key}/size", 1000))
        pieces = range(0, size, _CHUNK_BYTES)
        return b"".join(self._store.blocking_key_value_get_bytes(f"{key}/{start}", 60_000) for start in pieces)

    def _message(self, lost: str) -> str:
        kept = f"what was measured is kept in {self.folder}; " if self.folder else ""
        return f"{lost}; {kept}start again with any number of processes to {'resume' if kept else 'measure anew'}"

    def watch(self) -> None:
        """Beat, and listen to the others, until stopped or one is lost. Runs in a thread."""
        heard: dict[int, tuple[str, float]] = {}
        start, told_of_absent = time.monotonic(), False
        while not self._stopped.wait(0 if not heard else _BEAT_SECONDS):
            now = time.monotonic()
            beats, failed = [], []
            hung = threading.Timer(_SILENT_SECONDS, self._lose, [f"process 0 of {self.size} stopped answering"])
            hung.daemon = True
            hung.start()
            with contextlib.suppress(jax.errors.JaxRuntimeError):  # process 0 does not answer: it will be silent
                beat = json.dumps([now, self._passes[self.rank]])
                self._store.key_value_set(f"{self._name}/beat/{self.rank}", beat, allow_overwrite=True)
                beats = self._store.key_value_dir_get(f"{self._name}/beat/")
                failed = self._store.key_value_dir_get(f"{self._name}/failed/")
            hung.cancel()
            for key, beat in beats:
                rank = int(key.rsplit("/", 1)[1])
                if rank != self.rank:
                    self._passes[rank] = json.loads(beat)[1]
                if rank not in heard or heard[rank][0] != beat:
                    heard[rank] = beat, now
            late = (rank for rank, (_, when) in heard.items() if now - when > _SILENT_SECONDS)
            silent = sorted(rank for rank in late if rank != self.rank)
            failures = [text for key, text in failed if not key.endswith(f"/{self.rank}")]
            if failures or silent:
                self._lose(failures[0] if failures else f"process {silent[0]} of {self.size} stopped answering")
                return
            if len(heard) < self.size and now - start > 60 and not told_of_absent:
                told_of_absent = True
                absent = ", ".join(str(rank) for rank in range(self.size) if rank not in heard)
                print(f"interjax: process {self.rank} waits for process {absent} to measure too", file=sys.stderr)

    def _lose(self, lost: str) -> None:
        self._lost = lost
        if not self._told.wait(_GRACE_SECONDS) and not self._stopped.is_set():
            end_process(self._message(lost))

    def end(self) -> NoReturn:
        """Say which process was lost, where JAX ends this one for it."""
        lost = "another process" if self.rank == 0 else f"process 0 of {self.size}"
        end_process(self._message(self._lost or f"{lost} stopped answering (JAX's own report is above)"))

    def leave(self, error: BaseException | None) -> None:
        """Stop beating; on an error tell the others of it first."""
        if error is not None:
            if isinstance(error, ProcessLost):
                text = self._lost
            else:
                text = f"process {self.rank} of {self.size} failed ({type(error).__name__}: {error})"
            with contextlib.suppress(jax.errors.JaxRuntimeError):
                self._store.key_value_set(f"{self._name}/failed/{self.rank}", text)
            if self.rank == 0:  # the store goes with this process: let the others hear
                time.sleep(2.5 * _BEAT_SECONDS)
            leave_without_the_others()
        self._stopped.set()


def start(coordinator: str | None = None, processes: int | None = None, process_id: int | None = None) -> None:
    """Join the processes of a run by `jax.distributed`; all must have come within a minute.

    Args:
        coordinator: HOST:PORT where process 0 listens, there alone unless JAX_COORDINATOR_BIND_ADDRESS says where.
        processes: how many there are.
        process_id: which one this is. Each of the three is found by JAX itself under SLURM and the like if it is None.

    Raises:
        ValueError, RuntimeError: from JAX, for arguments with which it cannot begin. If the processes do not come
            together it ends this one.
    """
    jax.config.update("jax_enable_preemption_service", False)  # it would make SIGTERM do nothing
    where = None if os.environ.get("JAX_COORDINATOR_BIND_ADDRESS") else coordinator
    which = "this process" if process_id is None else f"process {process_id} of {processes}"
    last = "P-1" if processes is None else processes - 1
    failed = (
        f"{which} and the others did not come together at {coordinator or 'the coordinator'} within {_START_SECONDS} "
        f"seconds (JAX's own report is above): start each of the processes, 0 to {last}, once and at about the same "
        "time, with one --coordinator that all can reach"
    )
    with on_abort(lambda: end_process(failed)):
        jax.distributed.initialize(
            coordinator, processes, process_id, coordinator_bind_address=where, initialization_timeout=_START_SECONDS
        )


_active: list[Group] = []
_joined = 0


@contextlib.contextmanager
def joined() -> Iterator[Group]:
    """The group of all processes, watched until the block is left; just this one without `jax.distributed`.

    A block inside another is of the same group. Processes are matched by the number of blocks that each entered.

    Raises:
        ProcessLost: from `check` and `exchange` inside the block, when another process was lost.
    """
    global _joined
    if _active or not jax.distributed.is_initialized() or jax.process_count() == 1:
        yield _active[0] if _active else Group()
        return
    _joined += 1
    group = Group(jax.process_index(), jax.process_count(), str(_joined))
    thread = threading.Thread(target=group.watch, name="interjax processes", daemon=True)
    thread.start()
    _active.append(group)
    try:
        with on_abort(group.end):
            try:
                yield group
                group.exchange({})  # nobody leaves before all are done: process 0 holds the store
            except BaseException as error:
                group.leave(error)
                raise
            group.leave(None)
    finally:
        _active.clear()
        thread.join(_BEAT_SECONDS + 1)


def _to_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def _from_bytes(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
