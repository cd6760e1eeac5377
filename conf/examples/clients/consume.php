<?php // May this key go ahead?  php consume.php ip:192.0.2.1
$context = stream_context_create(['http' => [
	'method' => 'POST', 'timeout' => 2, 'ignore_errors' => true,
	'header' => 'Content-Type: application/x-www-form-urlencoded',
	'content' => http_build_query(['key' => $argv[1]]),
]]);
file_get_contents('http://127.0.0.1:14290/consume', false, $context);
$headers = implode("\n", $http_response_header);
preg_match('/^Retry-After: (.*)$/mi', $headers, $retry);
echo str_contains($headers, ' 200 ') ? 'allowed' : "denied, retry after $retry[1] s", "\n";
