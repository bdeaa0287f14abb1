-- expect: error: the name of a folder
function deliver(m, box)
  box:fileinto("../../bob")
end
