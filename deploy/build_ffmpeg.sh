#!/usr/bin/env bash
# Builds FFmpeg's libraries for just what src/media reads: build_ffmpeg.sh PREFIX, run in FFmpeg's
# source folder. The lists follow src/media/demuxer.cpp and src/media/image_libav.cpp.
set -euo pipefail
prefix="$1"

./configure --prefix="$prefix" --enable-shared --disable-static --disable-debug --disable-doc \
  --disable-programs --disable-network --disable-autodetect --enable-zlib --enable-libdav1d \
  --disable-everything --disable-avdevice --disable-swresample --disable-postproc \
  --enable-protocol=file \
  --enable-demuxer=mov,matroska,avi \
  --enable-decoder=h264,hevc,vp8,vp9,libdav1d,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4v3 \
  --enable-decoder=mpeg1video,mpeg2video,h263,theora,mjpeg,prores,png,webp,bmp,gif \
  --enable-parser=h264,hevc,vp8,vp9,av1,mpeg4video,mpegvideo,h263,mjpeg,png,webp,bmp,gif \
  --enable-bsf=h264_mp4toannexb,hevc_mp4toannexb,vp9_superframe_split,av1_frame_split \
  --enable-bsf=extract_extradata,mpeg4_unpack_bframes,null \
  --enable-filter=buffer,buffersink,bwdif,format,scale
make -j"$(nproc)"
make install
rm -rf "$prefix"/lib/*.a
