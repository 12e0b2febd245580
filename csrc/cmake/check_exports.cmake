# Fails unless a shared library exports exactly the names that are expected of it.
#   cmake -DNM=nm -DLIBRARY=libreed.so -DHEADER=reed.h -P check_exports.cmake
#   cmake -DNM=nm -DLIBRARY=libisal.so.2 -DMAP=isal.map -P check_exports.cmake
cmake_minimum_required(VERSION 3.16)

execute_process(COMMAND "${NM}" -D --defined-only "${LIBRARY}"
                OUTPUT_VARIABLE listing RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "${NM} -D --defined-only ${LIBRARY} failed: ${failed}")
endif()
string(REGEX MATCHALL " [A-Z] [A-Za-z0-9_]+" exported "${listing}")
list(TRANSFORM exported REPLACE "^ [A-Z] " "")

if(HEADER)
    file(READ "${HEADER}" text)
    string(REGEX MATCHALL "reed_[a-z0-9_]+\\(" expected "${text}")
    list(TRANSFORM expected REPLACE "\\($" "")
else()
    file(READ "${MAP}" text)
    string(REGEX REPLACE "/\\*.*\\*/" "" text "${text}")
    string(REGEX MATCHALL "[a-z0-9_]+;" expected "${text}")
    list(TRANSFORM expected REPLACE ";$" "")
endif()

list(REMOVE_DUPLICATES expected)
if(NOT expected)
    message(FATAL_ERROR "no expected names were found")
endif()
set(missing ${expected})
list(REMOVE_ITEM missing ${exported})
set(surplus ${exported})
list(REMOVE_ITEM surplus ${expected})
if(missing OR surplus)
    message(FATAL_ERROR "${LIBRARY}: missing [${missing}], not declared [${surplus}]")
endif()
