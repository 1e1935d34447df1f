"""The table of errors: each code that a client can provoke, with its type and its words, and afterwards a server that
is as it was."""

import asyncio
import base64
import json
import re
import socket

import pytest

import live
from rpc import Client

MANAGER = "manager_ServerManager"
OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n")
# Provoked by nothing that a client can send.
INTERNAL = {40006, 40200, 40204, 40211, 40400, -32603}


@pytest.fixture(scope="module")
def url():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        with live.Server("", "--post-port", taken.getsockname()[1]) as server:
            yield server.url.replace("http", "ws", 1) + "/kurento"


class Place:
    """A client with something to make mistakes with. What it asks comes to the error."""

    def __init__(self, client):
        self.client = client

    async def make(self, *kinds, **params):
        self.pipeline = await self.client.create("MediaPipeline")
        made = [await self.client.create(kind, mediaPipeline=self.pipeline, **params) for kind in kinds]
        return made[0] if len(made) == 1 else made

    async def ask(self, method, **params):
        return (await self.client.ask(method, **params)).get("error")

    async def invoke(self, target, operation, **params):
        return await self.ask("invoke", object=target, operation=operation, operationParams=params)

    async def create(self, kind, **params):
        return await self.ask("create", type=kind, constructorParams=params)

    async def raw(self, message):
        """The error of a message that has no id of its own."""
        before = len(self.client.unasked)
        await self.client.send(message if isinstance(message, (str, bytes)) else json.dumps(message))
        assert await self.client.until(lambda: len(self.client.unasked) > before)
        return self.client.unasked[-1]["error"]


TABLE = []


def error(number, kind, words):
    """One row: the code, the type (None: no data.type), a pattern for the message."""
    def add(provoke):
        TABLE.append((number, kind, words, provoke))
        return provoke
    return add


# --- the message ---------------------------------------------------------------------------------------------------


@error(-32700, "PARSE_ERROR", r"Parse error\.")
async def no_json(place):
    return await place.raw("hello")


@error(-32700, "PARSE_ERROR", r"Parse error\.")
async def cut_off(place):
    return await place.raw('{"jsonrpc":"2.0","id":1,"method":"pi')


@error(-32700, "PARSE_ERROR", r"Parse error\.")
async def nested_ten_thousand_deep(place):
    deep = "[" * 10_000 + "]" * 10_000
    return await place.raw('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":%s}}' % deep)


@error(-32700, "PARSE_ERROR", r"Parse error\.")
async def objects_ten_thousand_deep(place):
    deep = '{"a":' * 10_000 + "1" + "}" * 10_000
    return await place.raw('{"jsonrpc":"2.0","id":1,"method":"ping","params":%s}' % deep)


@error(-32700, "PARSE_ERROR", r"Parse error\.")
async def number_beyond_everything(place):
    return await place.raw('{"jsonrpc":"2.0","id":%s,"method":"ping"}' % ("9" * 1000))


@error(-32700, "PARSE_ERROR", r"Parse error\.")
async def exponent_beyond_everything(place):
    return await place.raw('{"jsonrpc":"2.0","id":1e999999999,"method":"ping"}')


for message in [
    [], [{"jsonrpc": "2.0", "id": 1, "method": "ping"}], 1, "text", None, {}, {"id": 1, "method": "ping"},
    {"jsonrpc": "1.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "id": [1], "method": "ping"},
    {"jsonrpc": "2.0", "id": {}, "method": "ping"}, {"jsonrpc": "2.0", "id": None}, {"jsonrpc": "2.0", "method": 7},
]:
    error(-32600, None, r"Invalid JSON-RPC request\.")(
        lambda place, message=message: place.raw(json.dumps(message)))


@error(-32601, None, r"Method not found\.")
async def unknown_method(place):
    return await place.ask("dance")


@error(-32602, "INVALID_PARAMS", r"'params' is required")
async def no_params(place):
    await place.client.send('{"jsonrpc":"2.0","id":"none","method":"create"}')
    return (await place.client.until(lambda: place.client.answers.pop("none", None)))["error"]


@error(-32000, None, r"'object' parameter is required")
async def no_object(place):
    return await place.ask("describe")


@error(-32000, None, r"'object' parameter should be a string")
async def object_that_is_a_list(place):
    return await place.ask("describe", object=[])


@error(-32000, None, r"'operations' parameter should be an array")
async def operations_that_are_text(place):
    return await place.ask("transaction", operations="all")


@error(-32000, None, r"Ignoring response because of a notification request")
async def notification(place):
    return await place.raw({"jsonrpc": "2.0", "method": "create", "params": {"type": "MediaPipeline"}})


# --- arguments -----------------------------------------------------------------------------------------------------


@error(40001, "MARSHALL_ERROR", r"'mediaPipeline' parameter should be a string")
async def missing_argument(place):
    return await place.create("PassThrough")


@error(40001, "MARSHALL_ERROR", r"'constructorParams' is required")
async def no_arguments(place):
    return await place.ask("create", type="PassThrough")


@error(40001, "MARSHALL_ERROR", r"'operationParams' is required")
async def no_arguments_of_a_method(place):
    return await place.ask("invoke", object=await place.make("PassThrough"), operation="addTag")


@error(40001, "MARSHALL_ERROR", r"Invalid value for 'MediaType'")
async def no_member_of_the_enumeration(place):
    return await place.invoke(await place.make("PassThrough"), "isMediaFlowingIn", mediaType="SMELL")


@error(40001, "MARSHALL_ERROR", r"'encoderBitrate' parameter should be a integer")
async def text_for_a_number(place):
    return await place.invoke(await place.make("PassThrough"), "setEncoderBitrate", encoderBitrate="much")


@error(40001, "MARSHALL_ERROR", r".*integer")
async def huge_number(place):
    return await place.invoke(await place.make("PassThrough"), "setEncoderBitrate", encoderBitrate=1e300)


@error(40001, "MARSHALL_ERROR", r".*integer")
async def number_of_64_bits(place):
    return await place.invoke(await place.make("PassThrough"), "setEncoderBitrate", encoderBitrate=(1 << 63) - 1)


@error(40001, "MARSHALL_ERROR", r".*")
async def filter_that_is_none(place):
    await place.make()
    return await place.create("GStreamerFilter", mediaPipeline=place.pipeline, command="rm -rf /")


@error(40003, "UNEXPECTED_ERROR", r"Type \S+ is not compatible")
async def another_type(place):
    return await place.invoke(
        await place.make("WebRtcEndpoint"), "addIceCandidate", candidate={"__module__": "kurento", "__type__": "Tag"})


@error(40003, "UNEXPECTED_ERROR", r"Type \S+ is not compatible")
async def unknown_type(place):
    return await place.invoke(
        await place.make("WebRtcEndpoint"), "addIceCandidate", candidate={"__module__": "kurento", "__type__": "Nix"})


# --- the graph -----------------------------------------------------------------------------------------------------


@error(40004, "CONNECT_ERROR", r"Media elements do not share pipeline")
async def two_pipelines(place):
    a = await place.make("PassThrough")
    return await place.invoke(a, "connect", sink=await place.make("PassThrough"))


@error(40004, "CONNECT_ERROR", r".*pad.*")
async def no_such_pad(place):
    a, b = await place.make("PassThrough", "PassThrough")
    return await place.invoke(a, "connect", sink=b, mediaType="VIDEO", sourceMediaDescription="other")


@error(40005, "UNSUPPORTED_MEDIA_TYPE", r".*DATA.*")
async def data_through_a_mixer(place):
    mixer = await place.make("Mixer")
    a, b = [await place.client.create("HubPort", hub=mixer) for _ in "ab"]
    return await place.invoke(mixer, "connect", media="DATA", source=a, sink=b)


@error(40007, "INVALID_SESSION", r"Invalid session")
async def unknown_session(place):
    return await place.ask("connect", sessionId="nobody's")


@error(40008, "MALFORMED_TRANSACTION", r"Method 'dance' with 2 parameters not found")
async def unknown_operation(place):
    return await place.invoke(await place.make("PassThrough"), "dance", a=1, b=2)


@error(40008, "MALFORMED_TRANSACTION", r"Method 'setId' with 1 parameters not found")
async def read_only(place):
    return await place.invoke(await place.make("PassThrough"), "setId", id="x")


@error(40008, "MALFORMED_TRANSACTION", r"Id of request '0' should be '0'")
async def wrong_number_in_a_transaction(place):
    return await place.ask("transaction", operations=[{"jsonrpc": "2.0", "id": 7, "method": "ping"}])


@error(40008, "MALFORMED_TRANSACTION", r".*newref.*|Result not found.*")
async def reference_to_nothing(place):
    return await place.ask("transaction", operations=[
        {"jsonrpc": "2.0", "id": 0, "method": "describe", "params": {"object": "newref:5"}}])


@error(40101, "MEDIA_OBJECT_NOT_FOUND", r"Object 'nothing' not found")
async def unknown_object(place):
    return await place.ask("describe", object="nothing")


@error(40101, "MEDIA_OBJECT_NOT_FOUND", r"Object '.+' not found")
async def released_object(place):
    element = await place.make("PassThrough")
    await place.ask("release", object=place.pipeline)
    return await place.invoke(element, "getName")


@error(40101, "MEDIA_OBJECT_NOT_FOUND", r"Object '' not found")
async def null_object(place):
    return await place.create("PassThrough", mediaPipeline=None)


@error(40106, "MEDIA_OBJECT_EVENT_NOT_SUPPORTED", r"Event 'EndOfStream' not supported")
async def unknown_event(place):
    return await place.ask("subscribe", object=await place.make("PassThrough"), type="EndOfStream")


@error(40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR", r".*DATA.*")
async def flow_of_data(place):
    return await place.invoke(await place.make("PassThrough"), "isMediaFlowingIn", mediaType="DATA")


@error(40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR", r"Object '.+' is a PassThrough, not a MediaPipeline")
async def wrong_class_as_a_pipeline(place):
    return await place.create("PassThrough", mediaPipeline=await place.make("PassThrough"))


@error(40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR", r"Object '.+' is a MediaPipeline, not a MediaElement")
async def wrong_class_as_a_sink(place):
    return await place.invoke(await place.make("PassThrough"), "connect", sink=place.pipeline)


@error(40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR", r"Object 'manager_ServerManager' is a ServerManager, not a Hub")
async def wrong_class_as_a_hub(place):
    return await place.create("HubPort", hub=MANAGER)


@error(40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR", r".*")
async def key_of_the_wrong_length(place):
    await place.make()
    crypto = {"keyBase64": base64.b64encode(bytes(7)).decode(), "crypto": "AES_128_CM_HMAC_SHA1_80"}
    return await place.create("RtpEndpoint", mediaPipeline=place.pipeline, crypto=crypto)


@error(40108, "MEDIA_OBJECT_NOT_AVAILABLE", r"Factory 'Elephant' not found")
async def unknown_class(place):
    return await place.create("Elephant")


@error(40108, "MEDIA_OBJECT_NOT_AVAILABLE", r"Factory 'MediaElement' not found")
async def abstract_class(place):
    return await place.create("MediaElement")


@error(40109, "MEDIA_OBJECT_NOT_FOUND_TRANSACTION_NO_COMMIT", r".*")
async def reference_outside(place):
    return await place.ask("describe", object="newref:0")


@error(40110, "MEDIA_OBJECT_TAG_KEY_NOT_FOUND", r"Tag key not found")
async def unknown_tag(place):
    return await place.invoke(await place.make("PassThrough"), "getTag", key="x")


@error(40111, "MEDIA_OBJECT_OPERATION_NOT_SUPPORTED", r".*")
async def key_frame_of_nobody(place):
    return await place.invoke(await place.make("WebRtcEndpoint"), "requestKeyframe")


@error(40111, "MEDIA_OBJECT_OPERATION_NOT_SUPPORTED", r".*")
async def channel_where_none_are(place):
    return await place.invoke(await place.make("WebRtcEndpoint"), "createDataChannel")


# --- descriptions --------------------------------------------------------------------------------------------------


@error(40201, "SDP_PARSE_ERROR", r"Empty offer not valid")
async def empty_offer(place):
    return await place.invoke(await place.make("WebRtcEndpoint"), "processOffer", offer="")


@error(40201, "SDP_PARSE_ERROR", r"Invalid SDP")
async def no_description(place):
    return await place.invoke(await place.make("RtpEndpoint"), "processOffer", offer="hello")


@error(40201, "SDP_PARSE_ERROR", r"Empty answer not valid")
async def empty_answer(place):
    endpoint = await place.make("RtpEndpoint")
    await place.client.invoke(endpoint, "generateOffer")
    return await place.invoke(endpoint, "processAnswer", answer="")


@error(40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR", r"No local SDP")
async def nothing_of_ours_yet(place):
    return await place.invoke(await place.make("RtpEndpoint"), "getLocalSessionDescriptor")


@error(40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR", r"No remote SDP")
async def nothing_of_theirs_yet(place):
    return await place.invoke(await place.make("RtpEndpoint"), "getRemoteSessionDescriptor")


@error(40205, "SDP_END_POINT_PROCESS_OFFER_ERROR", r".*the mid `a` stands at two m-lines")
async def offer_that_cannot_be_answered(place):
    head, media = OFFER.split("m=")
    return await place.invoke(
        await place.make("WebRtcEndpoint"), "processOffer", offer=head + f"m={media}a=mid:a\r\n" * 2)


@error(40206, "SDP_END_POINT_PROCESS_ANSWER_ERROR", r".+")
async def answer_to_another_offer(place):
    endpoint = await place.make("WebRtcEndpoint")
    await place.client.invoke(endpoint, "generateOffer")
    return await place.invoke(endpoint, "processAnswer", answer=OFFER)


@error(40208, "SDP_END_POINT_ALREADY_NEGOTIATED", r"Endpoint already negotiated")
async def second_offer(place):
    endpoint = await place.make("RtpEndpoint")
    await place.client.invoke(endpoint, "processOffer", offer=OFFER)
    return await place.invoke(endpoint, "processOffer", offer=OFFER)


@error(40209, "SDP_END_POINT_NOT_OFFER_GENERATED", r"Offer not generated\..*")
async def answer_to_nothing(place):
    return await place.invoke(await place.make("RtpEndpoint"), "processAnswer", answer=OFFER)


@error(40210, "SDP_END_POINT_ANSWER_ALREADY_PROCCESED", r"Sdp Answer already processed")
async def second_answer(place):
    a, b = await place.make("RtpEndpoint", "RtpEndpoint")
    offer = await place.client.invoke(a, "generateOffer")
    answer = await place.client.invoke(b, "processOffer", offer=offer)
    await place.client.invoke(a, "processAnswer", answer=answer)
    return await place.invoke(a, "processAnswer", answer=answer)


# --- endpoints -----------------------------------------------------------------------------------------------------


@error(40300, "HTTP_END_POINT_REGISTRATION_ERROR", r".+")
async def port_that_is_taken(place):
    return await place.invoke(await place.make("HttpPostEndpoint"), "getUrl")


@error(40401, "ICE_ADD_CANDIDATE_ERROR", r"Error adding candidate")
async def candidate_of_another_line(place):
    a, b = await place.make("WebRtcEndpoint", "WebRtcEndpoint")
    await place.client.invoke(b, "processOffer", offer=await place.client.invoke(a, "generateOffer"))
    await place.client.invoke(b, "gatherCandidates")
    return await place.invoke(b, "addIceCandidate", candidate={
        "candidate": "candidate:1 1 UDP 1 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 1 << 30})


@error(40500, "UNDEFINED", r"Requested kmd module doesn't exist")
async def unknown_module(place):
    return await place.invoke(MANAGER, "getKmd", moduleName="none")


@error(40700, "PLAYER_SEEK_FAIL", r"Seek fails")
async def seek_in_nothing(place):
    await place.make()
    player = await place.client.create(
        "PlayerEndpoint", mediaPipeline=place.pipeline, uri="file:///nonexistent/file.webm")
    return await place.invoke(player, "setPosition", position=1000)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[3].__name__}")
def test_row(url, row):
    number, kind, words, provoke = row

    async def run():
        async with Client(url) as client:
            found = await provoke(Place(client))
            assert found is not None, "it succeeded"
            assert found["code"] == number, found
            assert (found.get("data") or {}).get("type") == kind, found
            assert re.fullmatch(words, found["message"]), found
            # Nothing happened to the connection.
            assert (await client.ask("ping"))["result"]["value"] == "pong"

    asyncio.run(run())


def test_too_much():
    """40009: the limits that a server was given, each named in the error."""
    async def run(url):
        async with Client(url) as client:
            pipeline = await client.create("MediaPipeline")
            found = []
            for _ in range(8):
                found.append((await client.ask(
                    "create", type="PassThrough", constructorParams={"mediaPipeline": pipeline})).get("error"))
            refused = [one for one in found if one]
            assert found[0] is None and refused
            assert all(one["code"] == 40009 and one["data"]["type"] == "NOT_ENOUGH_RESOURCES" for one in refused)
            assert all(re.search(r"The server has 5 objects", one["message"]) for one in refused), refused
            # What is released makes room.
            await client.call("release", object=pipeline)
            await client.create("MediaPipeline")
            async with Client(url) as other:
                answer = await other.ask("create", type="MediaPipeline")
                assert answer["error"]["code"] == 40009 and "1 sessions" in answer["error"]["message"]

    with live.Server("", "--objects", 5, "--sessions", 1) as server:
        asyncio.run(run(server.url.replace("http", "ws", 1) + "/kurento"))


def test_the_whole_table_is_here():
    """Every code that a Kurento sends is provoked, or it is one that no message provokes here."""
    produced = {
        -32600, -32601, -32602, -32603, -32000, 40001, 40003, 40004, 40005, 40006, 40007, 40008, 40009, 40101, 40106,
        40107, 40108, 40109, 40110, 40111, 40200, 40201, 40202, 40203, 40204, 40205, 40206, 40208, 40209, 40210, 40211,
        40300, 40400, 40401, 40500, 40700}
    assert produced - {row[0] for row in TABLE} - {40009} == INTERNAL
