/* All files of the web page, one after the other; pages.cc says where each of them is. */
  .section .rodata
  .balign 16
  .global towline_web_pages
  .hidden towline_web_pages
towline_web_pages:
  .incbin "pages.bin"
  .section .note.GNU-stack, "", %progbits
