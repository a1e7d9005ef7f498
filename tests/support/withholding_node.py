"""Runs a node that delivers results and serves none of them: it answers as if it had no int32 matrices.

Its name is put before a node's command: `python -m support.withholding_node python -m inos node ...`
"""

import sys

from inos.cli.main import main
from inos.network.peers.peer import Peer
from inos.network.sync.serving import RequestServer
from inos.network.wire.base import Request
from inos.network.wire.control import NotFound
from inos.network.wire.matrices import GetMatrix, GetRun, GetStrips
from inos.primitives.matrices import DType
from inos.primitives.units import MatrixId

if __name__ == "__main__":
    keep = RequestServer.handle_request

    async def withhold(self: RequestServer, peer: Peer, request: Request) -> None:
        if isinstance(request, GetMatrix | GetRun | GetStrips):
            info = self._node.matrices.store.info(MatrixId(request.id))
            if info is not None and info.dtype == DType.INT32:
                await peer.out.put(NotFound(request.request, (request.id,)))
                return
        await keep(self, peer, request)

    RequestServer.handle_request = withhold  # type: ignore[method-assign]
    del sys.argv[1 : sys.argv.index("inos") + 1]
    main()
