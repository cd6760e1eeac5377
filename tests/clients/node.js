// Clients of Node; see clients.py for what each of them does.
const [, , name, port, key] = process.argv;
const level = reply => Number(reply[1]);
const text = reply => reply.map(value => Buffer.isBuffer(value) ? value.toString() : value);

async function ioredis(options) {
    const Redis = require("ioredis");
    const client = new Redis({port: Number(port), ...options});
    const many = async (commands, count) => {
        for (let i = 0; i < count; i++)
            commands.call("CONSUME", key);
        return (await commands.exec()).map(([error, reply]) => {
            if (error)
                throw error;
            return level(reply);
        });
    };
    const answers = {
        consume: text(await client.call("CONSUME", key, 3)),
        pipeline: await many(client.pipeline(), 10),
        transaction: await many(client.multi(), 3),
        throttle: await client.call("CL.THROTTLE", key, 4, 1, 3600)};
    client.disconnect();
    return answers;
}

async function nodeRedis(options) {
    const client = require("redis").createClient({socket: {port: Number(port)}, ...options});
    client.on("error", error => { throw error; });
    await client.connect();
    const send = (...words) => client.sendCommand(words);
    const consume = await send("CONSUME", key, "3");
    const many = [];
    for (let i = 0; i < 10; i++)
        many.push(send("CONSUME", key));
    const pipeline = (await Promise.all(many)).map(level);
    let multi = client.multi();
    for (let i = 0; i < 3; i++)
        multi = multi.addCommand(["CONSUME", key]);
    const transaction = (await multi.exec()).map(level);
    const throttle = await send("CL.THROTTLE", key, "4", "1", "3600");
    await (client.close ? client.close() : client.quit());
    return {consume, pipeline, transaction, throttle};
}

async function valkeyGlide() {
    const {GlideClient, Batch, Transaction} = require("@valkey/valkey-glide");
    const client = await GlideClient.createClient(
        {addresses: [{host: "127.0.0.1", port: Number(port)}]});
    const many = (batch, count) => {
        for (let i = 0; i < count; i++)
            batch.customCommand(["CONSUME", key]);
        return client.exec(batch, true);
    };
    const answers = {
        consume: await client.customCommand(["CONSUME", key, "3"]),
        pipeline: (await many(new Batch(false), 10)).map(level),
        transaction: (await many(new Batch(true), 3)).map(level),
        throttle: await client.customCommand(["CL.THROTTLE", key, "4", "1", "3600"])};
    client.close();
    return answers;
}

const clients = {
    "ioredis": () => ioredis({}), "ioredis-resp2": () => ioredis({protocol: 2}),
    "node-redis": () => nodeRedis({}), "node-redis-resp3": () => nodeRedis({RESP: 3}),
    "valkey-glide": valkeyGlide};
clients[name]().then(answers => {
    console.log(JSON.stringify(answers));
    process.exit(0);
}).catch(error => { console.error(error); process.exit(1); });
