// May this key go ahead?  node consume.mjs ip:192.0.2.1
const key = encodeURIComponent(process.argv[2]);
const response = await fetch(`http://127.0.0.1:14290/consume?key=${key}`, {
	method: "POST",
	signal: AbortSignal.timeout(2000),
});
console.log(response.ok ? "allowed" :
	`denied, retry after ${response.headers.get("Retry-After")} s`);
