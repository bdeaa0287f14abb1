-- expect: error: only the server writes Received
function deliver(m, box)
  box:add_header("Received", "from nowhere")
end
