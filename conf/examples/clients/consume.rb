# May this key go ahead?  ruby consume.rb ip:192.0.2.1
require "net/http"

response = Net::HTTP.post_form(URI("http://127.0.0.1:14290/consume"), "key" => ARGV[0])
puts response.code == "200" ? "allowed" : "denied, retry after #{response["Retry-After"]} s"
