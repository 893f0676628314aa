"""Signaling as people write it with python-socketio: what somebody sends goes to whom they name. ADDRESS PORT [uvicorn|aiohttp]"""

import sys

import socketio
import uvloop

host, port = sys.argv[1], int(sys.argv[2])
stack = sys.argv[3] if len(sys.argv) > 3 else "uvicorn"
sio = socketio.AsyncServer(
    async_mode="asgi" if stack == "uvicorn" else "aiohttp",
    transports=["websocket"],
    cors_allowed_origins="*",
    http_compression=False,
)


@sio.event
async def join(sid, message):
    await sio.enter_room(sid, message["room"])
    await sio.emit("welcome", {"id": sid}, to=sid)


@sio.event
async def signal(sid, message):
    await sio.emit("signal", {"from": sid, "data": message["data"]}, to=message["to"])


if stack == "uvicorn":
    import uvicorn

    uvicorn.run(
        socketio.ASGIApp(sio),
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
    )
else:
    from aiohttp import web

    app = web.Application()
    sio.attach(app)
    uvloop.install()
    web.run_app(app, host=host, port=port, access_log=None, print=None)
