# cmake -DOUTPUT=file.cpp -DFOLDER=folder -P embed.cmake
# Writes the console's files into a C++ source, as the constants that src/admin/console.hpp declares.
set(text "#include \"console.hpp\"\n\nnamespace sluice::admin::console {\n\n")
foreach(name page.html style.css script.js)
  file(READ ${FOLDER}/${name} content)
  string(REGEX REPLACE "\\..*" "" constant ${name})
  string(APPEND text "const std::string_view ${constant} = R\"embedded(${content})embedded\";\n")
endforeach()
string(APPEND text "\n}  // namespace sluice::admin::console\n")
file(WRITE ${OUTPUT} "${text}")
