"""May this key go ahead?  python3 consume.py ip:192.0.2.1"""
import http.client
import sys
import urllib.parse

gate = http.client.HTTPConnection("127.0.0.1", 14290, timeout=2)
gate.request("POST", "/consume?key=" + urllib.parse.quote(sys.argv[1], safe=""))
response = gate.getresponse()
response.read()
print("allowed" if response.status == 200 else
      f"denied, retry after {response.headers['Retry-After']} s")
