# Asks rude-comments about two comments over the socket that is named: ruby ask.rb SOCKET
require "json"
require "net/http"
require "socket"

texts = ["Thank you for the quick review!", "You are an idiot."]
rows = { name: "rows", datatype: "BYTES", shape: [texts.size], data: texts }
request = Net::HTTP::Post.new("/v2/models/rude-comments/infer", "Host" => "localhost", "Connection" => "close")
request.body = JSON.generate(inputs: [rows], outputs: [{ name: "predict" }])
request.content_type = "application/json"
io = Net::BufferedIO.new(UNIXSocket.new(ARGV.fetch(0)))
request.exec(io, "1.1", request.path)
response = Net::HTTPResponse.read_new(io)
response.reading_body(io, true) { response.body }
answer = JSON.parse(response.body)
abort answer["error"] unless response.is_a?(Net::HTTPOK)
puts "Ruby: #{answer['model_name']} #{answer['model_version']} says #{answer['outputs'][0]['data']}"
